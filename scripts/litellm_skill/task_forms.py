"""Forms in a prompt: lines of code, options to choose from, questions, formulas and sums. Pure.

``lower`` is text in lower case; other text is in its own case, by which code is told. A pattern is compiled when a
prompt first needs it (and kept by re), after what is cheap to see: most prompts do without some.
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
_MAYBE = (
    r"^[ \t]{2,}\S|[;{}][ \t]*$|^[\w.]+\(.*\)$|^[ \t]*[\w.\[\]$\"'-]+(?:, ?\w+)*[ \t]*(?:[-+*/|&]?=|<-)[ \t]*\S"
    r"|^[ \t]*(?://|#|--|<!--|/\*|\*|<\?|\$ )|^[ \t]*</?\w[^>]*>|^[ \t]*[\])}]+[,;]?$|^[ \t]*@\w|^[ \t]*\d+ +.*[;{(=]"
    r"|^[a-z][\w-]*:(?: *$| +[^ ]*[\d\"'\[{/*.:][^ ]*$)|^[ \t]*- [\w-]+:|^[ \t]*\w+ \w+\(.*\)|\) ?[-=]>|=> ?[{(\w]"
    r"|&&|\w::\w|^(?:sudo|git|docker|kubectl|npm|pip|curl|ssh|rsync|awk|sed|grep|iptables|chmod|tar|cd|ls|cat|echo|rm"
    r"|cargo|go|apt) .*(?: -\w| \||/)"
    # shells, PowerShell, crontabs, settings by section
    r"|^(?!.* (?:and|the|to|an?|with|in|my|of|that|for|is) )[a-z][\w.+-]*(?: \S+)* --?[a-zA-Z][\w-]*(?:[ =]\S|$)"
    r"|^[ \t]*[A-Z]\w+-[A-Z]\w+\b|\|[ \t]*$|^\[[\w. -]+\]$"
    r"|^(?:[\d*/,?-]+ ){4}[\d*/,?A-Z-]+(?: |$)|^[ \t]*(?:end|begin|fi|done|esac|then|do|else|endmodule|pass)$"
    # sheets, Basic, SQL over several lines, Dockerfiles
    r"|^=[A-Z(]"
    r"|^[ \t]*(?:(?:Private |Public )?(?:Sub|Function) \w+\(|Dim \w|End (?:Sub|If|With)|For Each |Next(?: \w)?$)"
    r"|^[ \t]*(?:SELECT|FROM|WHERE|(?:GROUP|ORDER) BY|(?:\w+ )?JOIN|HAVING|INSERT|UPDATE|DELETE|ALTER|CMD|EXPOSE|ARG"
    r"|RUN|COPY|ADD|ENV|WORKDIR|ENTRYPOINT) "
    # assembly, Lisp, Haskell, R, Lua, Ruby, Go, Kotlin, Verilog, access lists
    r"|^[ \t]*[a-z]{2,6} +(?:[%$#\[]\w|[er]?[a-d]x|[rxwast]\d+|[er][sbi]p)\b|^[ \t]*\([a-z!?*+/-]+ .*\)$"
    r"| :: [\[(A-Z]"
    r"|%>%|:= |^[ \t]*(?:local|puts|my|let|fun|pub|impl|module|assign|wire|reg) .*[=({$\"'\[]|\bdo \|"
    r"|^[ \t]*(?:elif|elsif) "
    r"|^[ \t]*(?:for|while) .*\d:\w|^[ \t]*(?:access-list|permit|deny|ip|interface|hostname|router|set|server) .*\d"
)
_WORDS = r"(?:\b[a-z']{2,}\b[ ,]+)"
_SENTENCE = (
    rf"[?？]\W*$|？|[\u4e00-\u9fff]|^[^\w\n]*[A-Z][a-z']+,?(?: [\w'`()./-]+){{3,}}|^\S.*:$"
    rf"|{_WORDS}{{5}}|{_WORDS}{{3}}[a-z]+\W*$|\w: [a-z]+ [a-z]+\W*$"
)
_BLOCK = r"^[ \t]*(?:class [A-Z]\w*(?:\([\w., ]*\))?|try|else|finally|except [A-Z]\w+(?: as \w+)?) ?[:{]"  # begins one
_SPOKEN = r"[?？]\W*$|[\u4e00-\u9fff]{4,}"
_FENCED = r"(?s)```.*?(?:```|\Z)|\"\"\".*?(?:\"\"\"|\Z)|\'\'\'.*?(?:\'\'\'|\Z)"
_FENCES = ("```", '"""', "'''")
_SYMBOLS = "{}[]();=<>|&$@\\_/*\"'."
_DENSE, _LONGEST = 0.12, 400  # share of symbols in a line of code that has words; characters of a line of code
_FILE = (
    "py|js|ts|tsx|jsx|go|rs|java|cpp|c|h|rb|sh|sql|json|ya?ml|toml|html|css|vue|php|cs|kt|swift|ipynb|conf|env|csv|md"
    "|txt|log|lock|ini|xml"
)
_INLINE = (
    r"\w{3}\((?! )[^()\n]*\)|\b\w+\.\w+\(|==|!=|=>|->|<-|&&|\|\||::|\|=|[;{}]|\b[a-z]+_[a-z_]+\b|\b[a-z]+[A-Z]\w+\b"
    rf"|`[^`\n]+`|</?\w+>|\b[\w-]+\.(?:{_FILE})\b|(?<!\w)--?[a-z][\w-]*|\b\w+(?:Error|Exception)\b"
    r"|(?<!\w)/[a-z]\w*(?:/[\w{}:]+)*|\b[a-z]+\[[\w:-]+\]|\[\d*::?-?\d*\]|\+\+|\+=|\*\*\w|\blambda \w+:|\w = [\w\[(\"']"
    r"|=[A-Z]{2,}\(|\$[A-Z]{1,3}\$?\d|\b[A-Z]{1,2}\d{1,6}:[A-Z]{1,2}\d|\b[A-Z][a-z]+-[A-Z][a-z]+[A-Z]?\w*"
    r"|\\[dwsb][+*{]?|[$^]\(|\*\.\w|\| \w+ -\w|#\w+ \w|\(\?[=!:<]|\w\(\w*\(.*\)\)"
)
_SHEET = r"(?<![=!<>\w])= ?(?:[A-Z][A-Z.]+\(|\$?[A-Z]{1,2}\$?\d)|\b[A-Z]{1,3}\$?\d{1,6}:\$?[A-Z]{1,3}\$?\d|\$[A-Z]\$\d"
_WHOLE = r"(?<![=!<>\w])=[A-Z][A-Z.]+\(\S*(?: [^\s\w]\S*| \S*\))*"
_OF_X = r"\b(?:log|ln|exp|sqrt|sin|cos|tan|lim)\d*\([\w +*/^-]*\)"  # formulas that look like calls
_TEX_SPAN = r"\$[^$\n]+\$|\\[\[(].*?\\[\])]|\\[a-z]+\{"
_ERROR = (
    r"(?m)^(?:npm ERR!|panic:|Traceback|Caused by|[ \t]+at [\w$.]+\(|E  +|[\w.]{0,60}(?:Error|Exception)\b|fatal:"
    r"|ERROR\b|error(?:\[E\d+\]|:|\s+TS)|Uncaught |Exception in|Segmentation fault|\d{4}-\d\d-\d\d[T ]\d\d:)"
    r"|\b\w{1,60}\.\w{1,10}:\d+:"
)
_ODD = r"\w[/_=:.@-]\w.* \S|\S .*\w[/_=:.@-]\w"
_PLAIN = (
    r"\b(?:the|an?|is|are|was|were|of|to|and|that|this|it|you|i|we|my|with|be|have|has|not|but|for)\b|[.?!]$"
    r"|[\u4e00-\u9fff]"
)
_COMMENT = r"(?:^|\s)(?:#|//|--|;|%|\^)\s*([^\s#/<*-].*)$"
_DRAWING = r"(?s)\[asy\].*?(?:\[/asy\]|\Z)"

_OPEN = r'(?m)\btodo\b|"""|/\*\*|notimplemented|^[ \t]*pass[ \t]*$|\.\.\.[ \t]*$|[{:][ \t]*\Z|\bselect\s*\Z'

# Questions, and what is asked.
_QUESTION = (
    r"(?m)^\W*(?:so |and |hi,? |hey,? |ok(?:ay)?,? )?(?:what|why|how|which|where|when|who|is|are|does|do|did|can|could"
    r"|will|would|should|has|have|was|were)\b(?! you (?:please|write|give|make|add|fix))"
    r"|(?:[.:;—–]| -) *(?:what|why|where|how|does|is|will)\b(?! to\b)"
    r"|\b(?:tell me|explain|know|understand|wondering|see|get) (?:what|why|how|which|where|when|who|if|whether)\b"
    r"|吗|呢|什么|为什么|为啥|怎么回事|哪[里个些行一种]|多少|几[次个行种]|是不是|有没有|会不会|能不能看|是否|干嘛|干啥|啥"
)
_REQUEST = (  # a question in form, an order in fact
    r"\b(?:can|could|would|will) (?:you|someone|anyone|somebody)(?: please| kindly| maybe| just| also| possibly"
    r"| help me(?: to)?)* (?!tell|explain|say|see|check|describe|confirm|walk|spot|look|clarify|read|find out|review"
    r"|think|name|identify|point|understand|it|this|the)[a-z]+[^.?!\n]*\??"
    r"|\b(?:can|could|may) (?:i|we) (?:please )?(?:get|have)\b[^.?!\n]*\??|\bwould you mind [a-z]+ing\b[^.?!\n]*\??"
    r"|\bany chance (?:you|of)\b[^.?!\n]*\??|(?:能不能|能否|可不可以|可以|能)(?:请你|帮我|帮忙|给我|麻烦你)?"
    r"(?:把[^。？?\n]{1,20}?)?(?:写|改|做|实现|加|弄|搞|优化|修|生成|给)[^。？?\n]*[？?]?"
)
_YIELDS = (
    r"(?m)\bwhat(?:’s|'s| is| are| will| does| do| would| gets?| value| values)?\b[^\n]{0,70}"
    r"\b(?:outputs?|print(?:s|ed)?|returns?|returned|log(?:s|ged)?|results?|value|holds?|display(?:s|ed)?|evaluate)\b"
    r"|\?\?|\bpredict\b[^\n]{0,40}\b(?:output|result)|\b(?:correct|expected|literal|exact|program'?s?"
    r"|the) output\b|\bcomplete the assert|\boutput of\b"
    r"|^[^\w\n]*output:|^\W*predict\W*$"
    r"|\bsuch that\b[^\n]{0,40}\b(?:returns?|outputs?|prints?|evaluates?)\b|\b(?:time|space) complexity\b"
    r"|(?:输出|打印|返回|运行结果|执行结果|结果)[^\n]{0,10}(?:什么|多少|是|为|几)|返回值|的值(?:是|为)|输出结果|复杂度"
)
_PROOF = r"\b(?:prove|proof|disprove)\b|\bshow that\b|证明|求证"
_YES_OR_NO = (
    r"(?m)\b(?:answer|reply|respond|say)(?: only| just)?(?: with)?(?: only)?:? *[\"'“(]?(?:yes|true)[\"'”]?"
    r"(?: ?/ ?|,? or )"
    r"|\b(?:is|are)\b[^\n]{0,40}\btrue or false\b|^[^\w\n]*(?:true or false|yes or no)\b"
    r"|\b(?:yes or no|true or false)\?"
    r"|\(?(?:yes/no|true/false)\)?\s*$|\bentail(?:s|ment)?\b|^[^\w\n]*(?:options?|choices) ?[1a]?\W*:"
    r"|\boptions?: *\w+, "
    r"|(?:回答|判断|选择)[^。\n]{0,8}(?:是[还或]不?是?否|对[还或]是?错|对错|正误|真假|[“\"]对|[“\"]是)|(?:单选|多选|选择|判断)题?[:：]"
    r"|[是对]还是[错否]|正确还是错误|选择填空|^[^\w\n]*选项\W*[:：]"
)
_BARE = (  # options without a mark behind the letter: A red B green C blue
    r"(?:^|[\s，,（(：:?？。-])A[\s、,:：.-]{0,2}[^\sA-Z][^.。?？\n]{0,24}?[\s，,；;]B[\s、:：.-]{0,2}[^\sA-Z]"
    r"[^.。?？\n]{0,24}?[\s，,；;]C[\s、:：.-]{0,2}[^\sA-Z]"
)
_LETTERED = (  # also a letter alone at the beginning of three lines
    r"(?s)(?:^|\s)[(\[]?a[)\]]\s?.{1,600}?\s[(\[]?b[)\]]|(?:^|\s)a\. \S.{1,600}?\sb\. \S"
    r"|(?:^|\n)A[ :)、]+[^\n]+\n+B[ :)、]+[^\n]+\n+C[ :)、]"
)
_CHOOSE = (
    r"\b(?:which|choose|select|pick|closest|best|most|correct|options?|alternatives|multiple[ -]choice|quiz)\b"
    r"|哪|选|以下|下列|[(（]\s*[)）]"
)

# Sums told in words and in notation.
_TEX = (  # a dollar sign before a space or a bracket closes nothing: that is a variable of a shell
    r"\$(?![ (])[^$\n]*[\\^=_<>+{}][^$\n]*(?<! )\$(?![\w({])"
    r"|\$-?[a-z0-9]\w{0,2}\$(?!\w)|\\[dt]?frac\b|\\sqrt\b|\\boxed\b"
    r"|\\int\b|\\sum\b|\\cdot\b|\\begin\{"
)
_DOCUMENT = (
    r"\\(?:documentclass|usepackage|newcommand|includegraphics|node|draw|cite|section|label)\b"
    r"|\\begin\{(?:doc|tab|fig|tikz|item|enum|frame|lst)"
)
_NOTATION = (
    r"\\\[|\\\(|\d\s*[×÷*^]\s*\d|\b\d+\s*%\s*of\b|\b\d*[xyn]\^\d|\b\d*[xyz]\s*[+\-−]\s*\d*[xyz\d]\s*=|\[asy\]"
    r"|\d\s*[+−]\s*\d|\d \- \d|\d-\d+ ?[=?]|\b[fgy]\(?x?\)?\s*=\s*\d*x"
)
_FIGURE = (
    r"\d[\d,]*(?:\.\d+)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|thirds?"
    r"|quarters?|twice|thrice|triple|doubled?|times|hundred|thousand|once|twenty|thirty|fifty|each|every|per)\b"
    r"|[一二两三四五六七八九十百千半]+(?=[个只本元块人天小时分米公里岁次张支颗条辆倍份年月])"
)
_HOW_MANY = (
    r"(?m)\bhow (?:many|much|long|old|far|fast|tall|big|heavy|large|often|high|deep|wide)\b"
    r"|\bwhat(?:'s|’s| is| was| are| were| will| would| percent\w*| fraction| number| time| total| amount)\b"
    r"|(?:^|[.,;:]\s+(?:then )?|\b(?:to|and|then|please) )(?:find|determine|calculate|compute|express|solve|evaluate)\b"
    r"|\b(?:in what|in how many|at what|when will|when does)\b"
    r"|\bwhat \w+ (?:\([^)\n]*\) )?(?:is|was|does|did|do|should|would|will|must|has)\b"
    r"|多少|几[个只本元块人天小时分米公里岁次张支颗条辆倍种台]|多[远长久高大]|求|计算(?!机)|各几"
)
_STORY = 3  # figures in a sum told in words that is surely one


def _options(first: str, second: str) -> str:
    mark = r"\s?[.)）\]、．:：](?![\w/])\s?" if first.isdigit() else r"\s?[.)）\]、．:：]\s?"
    return rf"(?sm)(?:^|[\s？：:?])[(（\[]?{first}{mark}.{{1,1200}}?(?:^|\s)[(（\[]?{second}{mark}"


_COLUMNS = r"\bsheet ?\d|\b(?:spread|work)?sheets?\b.*\ba:|\bcolumns?\b.*\ba:|\bexcel\b.*\ba:|列"
_CAPITALS, _NUMBERS = _options("A", "B"), _options("1", "2")


def parted(text: str) -> tuple[list[str], list[str]]:
    """Lines of code and lines of prose. What reads as code beside formulas is none."""
    if has_formula(text.lower()):
        return [], [line for line in text.splitlines() if line.strip()]
    blocks = re.findall(_FENCED, text) if any(fence in text for fence in _FENCES) else []
    code = [line for block in blocks for line in block.splitlines() if line.strip()]
    prose: list[str] = []
    for line in (re.sub(_FENCED, "\n", text) if blocks else text).splitlines():
        if line.strip():
            (code if _is_code(line) else prose).append(line)
    return code, prose


def last_comment(code: list[str]) -> str:
    """What stands behind the last line of code, or in the comment below it: "print(f(2))  # predict"."""
    found = re.search(_COMMENT, code[-1]) if code else None
    return found[1] if found else ""


def _is_code(line: str) -> bool:
    if len(line) > _LONGEST:
        return False
    if re.search(_BLOCK, line):
        return True
    if not re.search(_SENTENCE, line):
        return re.search(CODE_LINE, line) is not None or re.search(_MAYBE, line) is not None
    dense = sum(map(line.count, _SYMBOLS)) > _DENSE * len(line)
    return dense and not re.search(_SPOKEN, line) and re.search(CODE_LINE, line) is not None


def without_drawings(text: str) -> str:
    return re.sub(_DRAWING, " [asy] ", text) if "[asy]" in text else text


def has_formula(lower: str) -> bool:
    """Whether TeX's formulas stand in the text, neither a document's commands nor code between fences."""
    if "```" in lower or not _may_be_tex(lower):
        return False
    return re.search(_TEX, lower) is not None and re.search(_DOCUMENT, lower) is None


def _may_be_tex(text: str) -> bool:
    return "$" in text or "\\" in text


def inline(text: str) -> int:
    """How many bits of code stand in the text."""
    if has_formula(text.lower()):
        return 0
    outside = re.sub(_TEX_SPAN, " ", text) if _may_be_tex(text) else text
    return len(re.findall(_INLINE, re.sub(_OF_X, " ", outside) if "(" in outside else outside))


def has_error(text: str) -> bool:
    """Whether a compiler's, a program's or a log's own words stand in the text."""
    return re.search(_ERROR, text) is not None


def is_question(lower: str) -> bool:
    """A mark of question, or a line that begins as one, beside what is a request in a question's form."""
    lower = re.sub(_REQUEST, " ", lower)
    return "?" in lower or "？" in lower or re.search(_QUESTION, lower) is not None


def is_left_open(lower: str) -> bool:
    """Whether code is a head, a comment or a docstring for which a body is missing."""
    return re.search(_OPEN, lower.rstrip()) is not None


def is_request(lower: str) -> bool:
    """Whether something is asked for in a question's form: "could you tidy it up?"."""
    return re.search(_REQUEST, lower) is not None


def has_sheet_formula(text: str) -> bool:
    """Whether a spreadsheet's formula or range stands in the text."""
    return any(sign in text for sign in "=:$") and re.search(_SHEET, text) is not None


def without_sheet_formulas(text: str) -> str:
    """The functions in them say nothing of what is asked."""
    return re.sub(_WHOLE, " ⁂ ", text) if "=" in text else text


def odd_lines(lower: str) -> int:
    """How many lines are no sentences, and no lists of words: a device's settings, an unknown language."""
    return sum(1 for line in lower.splitlines() if re.search(_ODD, line) and not re.search(_PLAIN, line))


def asks_what_code_yields(lower: str) -> bool:
    return re.search(_YIELDS, lower) is not None


def asks_for_a_proof(lower: str) -> bool:
    return re.search(_PROOF, lower) is not None


def options(text: str, lower: str) -> Iterator[str]:
    """Options to choose from."""
    if "B" in text and re.search(_CAPITALS, text):
        yield "columns" if re.search(_COLUMNS, lower) else "options"
    elif not has_formula(lower):  # in which "(a + 1)" is no mark
        if ("2" in text and re.search(_NUMBERS, text)) or "①" in text:  # more often a list than options
            yield "a list, and a choice" if re.search(_CHOOSE, lower) else "a list"
        elif (_has_b(lower) and re.search(_LETTERED, text)) or ("B" in text and "C" in text and re.search(_BARE, text)):
            yield "options"
    if re.search(_YES_OR_NO, lower):
        yield "yes or no"


def _has_b(lower: str) -> bool:
    return any(mark in lower for mark in ("b)", "b]", "b. ", "\nb"))


def sums(lower: str, has_code: bool) -> Iterator[str]:
    """Formulas, figures and a question for one."""
    if has_formula(lower):
        yield "formula"
    if has_code:
        return
    if re.search(_NOTATION, lower):
        yield "notation"
    figures = len(re.findall(_FIGURE, lower))
    if figures:
        yield "one figure" if figures == 1 else "two figures" if figures == 2 else "figures"
    if re.search(_HOW_MANY, lower):
        yield "asks how many"
        if figures:
            yield f"asks how many, {'one figure' if figures == 1 else 'figures'}"
        if figures >= _STORY:
            yield "a sum in words"
