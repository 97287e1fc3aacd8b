"""Forms in a prompt: lines of code, options to choose from, questions, formulas and sums. Pure.

``lower`` is text in lower case; other text is in its own case, by which code is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Code is told by the form of its lines.
CODE_LINE = (
    r"(?m)^[ \t]*[+-]?[ \t]*(?:def \w+\(|async def |class \w+[(:{ ].*[:{]|import \w+|from \w[\w.]* import "
    r"|#include\s*[<\"]|@\w+\("
    r"|(?:public|private|static|protected) [\w<>\[\] ]+[({]|(?:int|long|float|double|char|bool|String) \w+ ?="
    r"|(?:FROM|RUN|COPY|ENV|WORKDIR) \S+$"
    r"|func \w+\(|fn \w+|function\*?\s*\w*\(|package \w+;?$"
    r"|(?:const|let|var|val) [\w{\[]+[^=\n]*=|for ?\(.*\) *\{|for \w+(?:, \w+)* in .*:|while ?\(.*\)|while .*:$"
    r"|if ?\(.*\) *[{\w]|if .*:$|return\b.*[;)\w]$|print ?[(\"%]|assert \w+\(|int \w+\(|\w+(?:\.\w+)*\(.*\);$"
    r"|(?i:select [\w*.,() ]+ from \w+(?:;| where | group | order | limit | (?:a |inner |left |cross )?join |$)"
    r"|update \w+ set |insert into |create table )|[.#]?[\w-]+ \{$|Traceback \()"
    r"|console\.log\(|println!?\(|System\.out|=> ?[{\[(\w]|lambda \w+:|\bfind \. -| \| (?:grep|awk|sed|xargs"
    r"|sort)\b"
    r"|^[ \t]*\w+ = .*[\[({].*[\])}]$|\\[dwsDWS][{+*]|`[^`\n]*\w\([^`\n]*`|\(\?[=!:<]|\^\S*\[\S+\]\S*\$"
    r"|print\(.*\)|\bSELECT .+ FROM \w"
    r"|^[\w.]+\(\w*\)\n[\w.]+\("
)
_SURELY = re.compile(CODE_LINE)
_MAYBE = re.compile(
    r"^[ \t]{2,}\S|[;{}][ \t]*$|^[\w.]+\(.*\)$|^[ \t]*[\w.\[\]$\"'-]+(?:, ?\w+)*[ \t]*(?:[-+*/|&]?=|<-)[ \t]*\S"
    r"|^[ \t]*(?://|#|--|<!--|/\*|\*|<\?|\$ )|^[ \t]*</?\w[^>]*>|^[ \t]*[\])}]+[,;]?$|^[ \t]*@\w|^[ \t]*\d+ +.*[;{(=]"
    r"|^[a-z][\w-]*:(?: *$| +[^ ]*[\d\"'\[{/*.:][^ ]*$)|^[ \t]*- [\w-]+:|^[ \t]*\w+ \w+\(.*\)|\) ?[-=]>|=> ?[{(\w]"
    r"|&&|\w::\w|^(?:sudo |git|docker|kubectl|npm|pip|curl|ssh|rsync|awk|sed|grep|iptables|chmod|tar|cd|ls|cat|echo|rm"
    r"|cargo|go|apt) .*(?: -\w| \||/)"
)
_WORDS = r"(?:\b[a-z']{2,}\b[ ,]+)"
_SENTENCE = re.compile(
    rf"[?？]\W*$|？|[\u4e00-\u9fff]|^[^\w\n]*[A-Z][a-z']+,?(?: [\w'`()./-]+){{3,}}|^\S.*:$"
    rf"|{_WORDS}{{5}}|{_WORDS}{{3}}[a-z]+\W*$|\w: [a-z]+ [a-z]+\W*$"
)
_SPOKEN = re.compile(r"[?？]\W*$|[\u4e00-\u9fff]{4,}")
_FENCED = re.compile(r"(?s)```.*?(?:```|\Z)|\"\"\".*?(?:\"\"\"|\Z)|\'\'\'.*?(?:\'\'\'|\Z)")
_SYMBOL = re.compile(r"[{}\[\]();=<>|&$@\\_/*\"'.]")
_DENSE, _LONGEST = 0.12, 400  # share of symbols in a line of code that has words; characters of a line of code
_FILE = (
    "py|js|ts|tsx|jsx|go|rs|java|cpp|c|h|rb|sh|sql|json|ya?ml|toml|html|css|vue|php|cs|kt|swift|ipynb|conf|env|csv|md"
    "|txt|log|lock|ini|xml"
)
_INLINE = re.compile(
    r"\w{3}\((?! )[^()\n]*\)|\b\w+\.\w+\(|==|!=|=>|->|<-|&&|\|\||::|\|=|[;{}]|\b[a-z]+_[a-z_]+\b|\b[a-z]+[A-Z]\w+\b"
    rf"|`[^`\n]+`|</?\w+>|\b[\w-]+\.(?:{_FILE})\b|(?<!\w)--?[a-z][\w-]*|\b\w+(?:Error|Exception)\b"
    r"|(?<!\w)/[a-z]\w*(?:/[\w{}:]+)*|\b[a-z]+\[[\w:-]+\]|\[\d*::?-?\d*\]|\+\+|\+=|\*\*\w|\blambda \w+:|\w = [\w\[(\"']"
    r"|\\[dwsb][+*{]?|[$^]\(|\*\.\w|\| \w+ -\w|#\w+ \w|\(\?[=!:<]|\w\(\w*\(.*\)\)"
)
_TEX_SPAN = re.compile(r"\$[^$\n]+\$|\\[\[(].*?\\[\])]|\\[a-z]+\{")
_ERROR = re.compile(
    r"(?m)^(?:npm ERR!|panic:|Traceback|Caused by|[ \t]+at [\w$.]+\(|E  +|[\w.]{0,60}(?:Error|Exception)\b|fatal:"
    r"|ERROR\b|error(?:\[E\d+\]|:|\s+TS)|Uncaught |Exception in|Segmentation fault|\d{4}-\d\d-\d\d[T ]\d\d:)"
    r"|\b\w{1,60}\.\w{1,10}:\d+:"
)
DRAWING = re.compile(r"(?s)\[asy\].*?(?:\[/asy\]|\Z)")

# Questions, and what is asked.
_QUESTION = re.compile(
    r"(?m)^\W*(?:so |and |hi,? |hey,? |ok(?:ay)?,? )?(?:what|why|how|which|where|when|who|is|are|does|do|did|can|could"
    r"|will|would|should|has|have|was|were)\b(?! you (?:please|write|give|make|add|fix))"
    r"|\b(?:tell me|explain|know|understand|wondering|see|get) (?:what|why|how|which|where|when|who|if|whether)\b"
    r"|吗|呢|什么|为什么|为啥|怎么回事|哪[里个些行一种]|多少|几[次个行种]|是不是|有没有|会不会|能不能看|是否|干嘛|干啥|啥"
)
_YIELDS = re.compile(
    r"\bwhat(?:’s|'s| is| are| will| does| do| would| gets?| value| values)?\b[^\n]{0,70}"
    r"\b(?:outputs?|print(?:s|ed)?|returns?|returned|log(?:s|ged)?|results?|value|holds?|display(?:s|ed)?|evaluate)\b"
    r"|\?\?|\bpredict\b[^\n]{0,40}\b(?:output|result)|\b(?:correct|expected|literal|exact|program'?s?"
    r"|the) output\b|\bcomplete the assert|\boutput of\b"
    r"|^[^\w\n]*output:"
    r"|\bsuch that\b[^\n]{0,40}\b(?:returns?|outputs?|prints?|evaluates?)\b|\b(?:time|space) complexity\b"
    r"|(?:输出|打印|返回|运行结果|执行结果|结果)[^\n]{0,10}(?:什么|多少|是|为|几)|返回值|的值(?:是|为)|输出结果|复杂度",
    re.M,
)
_PROOF = re.compile(r"\b(?:prove|proof|disprove)\b|\bshow that\b|证明|求证")
_YES_OR_NO = re.compile(
    r"\b(?:answer|reply|respond|say)(?: only| just)?(?: with)?(?: only)?:? *[\"'“(]?(?:yes|true)[\"'”]?"
    r"(?: ?/ ?|,? or )"
    r"|\b(?:is|are)\b[^\n]{0,40}\btrue or false\b|^[^\w\n]*(?:true or false|yes or no)\b"
    r"|\b(?:yes or no|true or false)\?"
    r"|\(?(?:yes/no|true/false)\)?\s*$|\bentail(?:s|ment)?\b|^[^\w\n]*(?:options?|choices) ?[1a]?\W*:"
    r"|\boptions?: *\w+, "
    r"|(?:回答|判断|选择)[^。\n]{0,8}(?:是[还或]不?是?否|对[还或]是?错|对错|正误|真假|[“\"]对|[“\"]是)|(?:单选|多选|选择|判断)题?[:：]"
    r"|[是对]还是[错否]|正确还是错误|选择填空|^[^\w\n]*选项\W*[:：]",
    re.M,
)
_BARE = re.compile(  # options without a mark behind the letter: A red B green C blue
    r"(?:^|[\s，,（(：:?？。-])A[\s、,:：.-]{0,2}[^\sA-Z][^.。?？\n]{0,24}?[\s，,；;]B[\s、:：.-]{0,2}[^\sA-Z]"
    r"[^.。?？\n]{0,24}?[\s，,；;]C[\s、:：.-]{0,2}[^\sA-Z]"
)
_LETTERED = re.compile(r"(?s)(?:^|\s)[(\[]?a[)\]]\s?.{1,600}?\s[(\[]?b[)\]]")
_CHOOSE = re.compile(
    r"\b(?:which|choose|select|pick|closest|best|most|correct|options?|alternatives|multiple[ -]choice|quiz)\b"
    r"|哪|选|以下|下列|[(（]\s*[)）]"
)

# Sums told in words and in notation.
_TEX = re.compile(  # a dollar sign before a space closes nothing: that is a variable of a shell
    r"\$(?! )[^$\n]*[\\^=_<>+{}][^$\n]*(?<! )\$(?!\w)|\$-?[a-z0-9]\w{0,2}\$(?!\w)|\\[dt]?frac\b|\\sqrt\b|\\boxed\b"
    r"|\\int\b|\\sum\b|\\cdot\b|\\begin\{"
)
_NOTATION = re.compile(
    r"\\\[|\\\(|\d\s*[×÷*^]\s*\d|\b\d+\s*%\s*of\b|\b\d*[xyn]\^\d|\b\d*[xyz]\s*[+\-−]\s*\d*[xyz\d]\s*=|\[asy\]"
    r"|\d\s*[+−]\s*\d|\d \- \d|\d-\d+ ?[=?]|\b[fgy]\(?x?\)?\s*=\s*\d*x"
)
_FIGURE = re.compile(
    r"\d[\d,]*(?:\.\d+)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|thirds?"
    r"|quarters?|twice|thrice|triple|doubled?|times|hundred|thousand|once|twenty|thirty|fifty|each|every|per)\b"
    r"|[一二两三四五六七八九十百千半]+(?=[个只本元块人天小时分米公里岁次张支颗条辆倍份年月])"
)
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|long|old|far|fast|tall|big|heavy|large|often|high|deep|wide)\b"
    r"|\bwhat(?:'s|’s| is| was| are| were| will| would| percent\w*| fraction| number| time| total| amount)\b"
    r"|(?:^|[.,;:]\s+(?:then )?|\b(?:to|and|then|please) )(?:find|determine|calculate|compute|express|solve|evaluate)\b"
    r"|\b(?:in what|in how many|at what|when will|when does)\b"
    r"|\bwhat \w+ (?:\([^)\n]*\) )?(?:is|was|does|did|do|should|would|will|must|has)\b"
    r"|多少|几[个只本元块人天小时分米公里岁次张支颗条辆倍种台]|多[远长久高大]|求|计算(?!机)|各几",
    re.M,
)
_STORY = 3  # figures in a sum told in words that is surely one


def _options(first: str, second: str) -> re.Pattern[str]:
    mark = r"\s?[.)）\]、．:：](?![\w/])\s?" if first.isdigit() else r"\s?[.)）\]、．:：]\s?"
    return re.compile(rf"(?sm)(?:^|[\s？：:?])[(（\[]?{first}{mark}.{{1,1200}}?(?:^|\s)[(（\[]?{second}{mark}")


_CAPITALS, _NUMBERS = _options("A", "B"), _options("1", "2")


def parted(text: str) -> tuple[list[str], list[str]]:
    """Lines of code and lines of prose. What reads as code beside formulas is none."""
    if has_formula(text.lower()):
        return [], [line for line in text.splitlines() if line.strip()]
    code = [line for block in _FENCED.findall(text) for line in block.splitlines() if line.strip()]
    prose: list[str] = []
    for line in _FENCED.sub("\n", text).splitlines():
        if line.strip():
            (code if _is_code(line) else prose).append(line)
    return code, prose


def _is_code(line: str) -> bool:
    if len(line) > _LONGEST:
        return False
    surely = _SURELY.search(line) is not None
    if not _SENTENCE.search(line):
        return surely or _MAYBE.search(line) is not None
    return surely and len(_SYMBOL.findall(line)) > _DENSE * len(line) and not _SPOKEN.search(line)


def has_formula(lower: str) -> bool:
    """Whether TeX stands in the text, and no code between fences."""
    return "```" not in lower and _TEX.search(lower) is not None


def inline(text: str) -> int:
    """How many bits of code stand in the text."""
    return 0 if has_formula(text.lower()) else len(_INLINE.findall(_TEX_SPAN.sub(" ", text)))


def has_error(text: str) -> bool:
    """Whether a compiler's, a program's or a log's own words stand in the text."""
    return _ERROR.search(text) is not None


def is_question(lower: str) -> bool:
    """A mark of question, or a line that begins as one."""
    return "?" in lower or "？" in lower or _QUESTION.search(lower) is not None


def asks_what_code_yields(lower: str) -> bool:
    return _YIELDS.search(lower) is not None


def asks_for_a_proof(lower: str) -> bool:
    return _PROOF.search(lower) is not None


def options(text: str, lower: str) -> Iterator[str]:
    """Options to choose from."""
    if _CAPITALS.search(text):
        yield "options"
    elif not has_formula(lower):  # in which "(a + 1)" is no mark
        if _NUMBERS.search(text) or "①" in text:  # more often a list than options
            yield "a list, and a choice" if _CHOOSE.search(lower) else "a list"
        elif _LETTERED.search(text) or _BARE.search(text):
            yield "options"
    if _YES_OR_NO.search(lower):
        yield "yes or no"


def sums(lower: str, has_code: bool) -> Iterator[str]:
    """Formulas, figures and a question for one."""
    if has_formula(lower):
        yield "formula"
    if has_code:
        return
    if _NOTATION.search(lower):
        yield "notation"
    figures = len(_FIGURE.findall(lower))
    if figures:
        yield "one figure" if figures == 1 else "two figures" if figures == 2 else "figures"
    if _HOW_MANY.search(lower):
        yield "asks how many"
        if figures:
            yield f"asks how many, {'one figure' if figures == 1 else 'figures'}"
        if figures >= _STORY:
            yield "a sum in words"
