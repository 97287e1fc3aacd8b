"""The words and forms by which ``tasks`` tells what a prompt asks for. Data: patterns for text in lower case.

A rule is tried only when one of its ``cues`` is among the words of the text, which is what keeps it fast.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """``english`` is tried on the words, ``chinese`` on a text that has Chinese in it; "" never fits."""

    cues: frozenset[str]
    english: str
    chinese: str = ""


def _cues(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Where an order begins: with the text, a line or a sentence, or after a word of politeness.
_ORDER = (
    r"(?:^[^\w\n]*|[.!?:;]\s+"
    r"|\b(?:please|just|can you|could you|would you|help me|you to|i need to|i want to|and|me to) )"
)

_LANGUAGES = (
    "english french german spanish italian portuguese russian japanese korean dutch arabic hindi turkish polish "
    "chinese mandarin latin greek swedish vietnamese thai indonesian ukrainian hebrew"
)
_LANGUAGE = rf"(?:simplified |traditional |brazilian |plain )?(?:{'|'.join(_LANGUAGES.split())})"
_THING = (
    r"(?:code|functions?|methods?|class|classes|scripts?|programs?|quer(?:y|ies)|regex(?:es)?|regular expressions?"
    r"|unit tests?|tests?|sql|python|java|javascript|typescript|rust|golang|kotlin|swift|c\+\+|bash|shell|powershell"
    r"|html|css|react|vue|components?|api|endpoint|dockerfile|docker|makefile|workflow|yaml|algorithm|one-liner"
    r"|decorator|parser|module|cli|command|crontab|git|middleware|schema|migration|macro|type hints|snippet|app"
    r"|webpage|website|lambda|hook|pipeline|solution)"
)
_THING_ZH = (
    r"(?:代码|函数|脚本|程序|正则|查询|语句|算法|组件|接口|单元测试|测试用例|命令|网页|页面|爬虫|缓存|排序|sql|python|java|go"
    r"|c\+\+|rust|react|vue|html|css|shell|git|dockerfile|makefile|yaml|nginx|配置文件|存储过程|触发器|遍历|二叉树|链表|类(?![似别型]))"
)
_TOOL = (
    r"python|java|javascript|typescript|rust|golang|kotlin|swift|c\+\+|c#|php|ruby|perl|scala|bash|powershell"
    r"|html|css|sql"
    r"|react|vue|angular|svelte|flask|django|fastapi|express|spring|pandas|numpy|pytest|jest|regex|terraform|ansible"
    r"|kubernetes|helm|docker|docker compose|nginx|postgres|sqlite|git|cmake|makefile|dockerfile|node\.?js|awk|sed"
)
_KIND = (
    r"(?:poem|haiku|sonnet|limerick|story|stories|tale|novel|essay|article|blog|post|e-?mail|letter|speech"
    r"|toast|lyrics"
    r"|song|tweet|caption|slogan|tagline|headline|title|name|biography|bio|dialogue|scene|script|screenplay"
    r"|review|reply"
    r"|response|message|description|advert\w*|ad|copy|newsletter|press release|resume|cv|memo|report|proposal"
    r"|paragraph"
    r"|introduction|statement|invitation|obituary|joke|riddle|plot|idea|outline|announcement|note|page|sentence)"
)

CHOOSE = Rule(
    _cues("which choose select pick closest best most correct option options alternatives multiple-choice"),
    r".",
    r"哪|选|以下|下列|(?:（|\()\s*(?:）|\))",
)
ASKED = Rule(_cues("what who whom when where because is following answer question"), r".", r"[？?是]|（\s*）")
YES_OR_NO = Rule(
    _cues("yes true entail entails entailment multiple-choice multiple option options choices"),
    r"\b(?:answer|reply|respond|say)(?: only| just)?(?: with)?(?: only)?:? *[\"'“(]?(?:yes|true)[\"'”]?"
    r"(?: ?/ ?|,? or )"
    r"|\b(?:is|are)\b[^\n]{0,40}\btrue or false\b|^[^\w\n]*(?:true or false|yes or no)\b"
    r"|\b(?:yes or no|true or false)\?"
    r"|\(?(?:yes/no|true/false)\)?\s*$|\bentail(?:s|ment)?\b|^[^\w\n]*(?:options?|choices) ?[1a]?\W*:"
    r"|\boptions?: *\w+, ",
    r"(?:回答|判断|选择)[^。\n]{0,8}(?:是[还或]不?是?否|对[还或]是?错|对错|正误|真假|[“\"]对|[“\"]是)|(?:单选|多选|选择|判断)题"
    r"|[是对]还是[错否]|正确还是错误|选择填空|^[^\w\n]*选项\W*[:：]",
)
YIELDS = Rule(
    _cues(
        "output outputs print prints printed return returns returned log logs logged result results value "
        "values hold holds display displays displayed evaluate evaluates complexity"
    ),
    r"\bwhat(?:’s|'s| is| are| will| does| do| would| gets?| value| values)?\b[^\n]{0,70}"
    r"\b(?:outputs?|print(?:s|ed)?|returns?|returned|log(?:s|ged)?|results?|value|holds?|display(?:s|ed)?|evaluate)\b"
    r"|\?\?|\bpredict\b[^\n]{0,40}\b(?:output|result)|\b(?:correct|expected|literal|exact|program'?s?"
    r"|the) output\b|\bcomplete the assertion|\boutput of\b"
    r"|^[^\w\n]*output:"
    r"|\bsuch that\b[^\n]{0,40}\b(?:returns?|outputs?|prints?|evaluates?)\b|\b(?:time|space) complexity\b",
    r"(?:输出|打印|返回|运行结果|执行结果|结果)[^\n]{0,10}(?:什么|多少|是|为|几)|返回值|的值(?:是|为)|输出结果|复杂度",
)
ABOUT = Rule(
    _cues(
        "what what's why how which where is are does explain describe walk review understand trace tell find "
        "interpret analyze analyse"
    ),
    r"\b(?:what|why|how|which|where|is there|is this|are there|does|explain|describe|walk me|review|understand|trace"
    r"|interpret|analy[sz]e)\b|\b(?:tell me|find (?:the|any|a) (?:bug|error|problem|issue))",
    r"解释|说明|什么|为什么|作用|是否|哪|怎么|看看|检查|阅读|分析",
)
TRANSLATE = Rule(
    _cues(
        "translate translation translating traduis traduit traduce traduire übersetze localize localise say "
        "put render turn means mean into to"
    ),
    r"\b(?:translat(?:e|ion|ing)|tradui[st]|traduce|traduire|übersetze|locali[sz]e)\b"
    rf"|^[^\n]{{0,80}}\b(?:in|into|to) {_LANGUAGE}\b *[:\n]|^[^\w\n]*{_LANGUAGE} to {_LANGUAGE}\b"
    rf"|\bhow (?:do|would|can) (?:you|i|we) say\b|\b(?:put|render|turn)\b[^\n]{{0,40}}\b(?:in|into) {_LANGUAGE}\b"
    rf"|\bmeans? in {_LANGUAGE}\b",
    r"翻译|译[为成]|译文|翻成|[中英日]译[中英日]|用.{0,4}[英法德日韩俄西]语.{0,3}(?:怎么说|表达|说)"
    r"|[英法德日韩俄]文?语?(?:是什么意思|怎么说|怎么写)",
)
CODE = Rule(
    _cues(
        "write implement create build develop generate give make need provide add define construct code "
        "refactor debug memoize solution answer convert port rewrite migrate endpoint compiler fix regex "
        "query script command one-liner function script program test tests bash sql python java javascript "
        "typescript rust go "
        "use using given show whip set put spin how terraform ansible kubernetes docker nginx r in want like looking"
    ),
    rf"(?:{_ORDER}|\b(?:i|we) |\bhow (?:do|can|would|should|to) (?:i |we |you )?)"
    r"(?:write|implement|create|build|develop|generate|give me|make|need|provide|add|define|construct|code)\b"
    rf"[^\n.?!]{{0,60}}?(?<![\w.]){_THING}(?!\w)(?! (?:review|of conduct|name|manager|programme))"
    rf"|{_ORDER}(?:implement|refactor|debug|unit-?test|memoi[sz]e)\b"
    rf"|^[^\w\n]*{_THING}\b[^\n.]{{0,30}}\b(?:that|to|which|for)\b|^[^\w\n]*(?:{_TOOL})\s*:"
    rf"|\b(?:{_TOOL}|go|c) (?:implementation|code|solution|program|snippet)\b"
    rf"|\b(?:i want|i'd like|looking for)\b[^\n.]{{0,40}}\b(?:{_TOOL}|{_THING})\b"
    rf"|\b(?:use|using|in) (?:{_TOOL})\W*$"
    rf"|\b(?:show me|whip up|set up|put together|spin up|make me|how (?:do|can|would|should"
    rf"|to))\b[^\n?]{{0,90}}\b(?:{_TOOL})\b"
    r"|\bgiven an? [^.\n]{0,30}\b(?:tree|linked list|array|string|list|matrix|graph"
    r"|integers?)\b[^\n]{0,120}\breturn\b"
    rf"|\bin r\b[^\n]{{0,60}}\b(?:plot|data frame|histogram)\b"
    r"|\b(?:your|the) (?:solution|code|answer|program) in (?:python|java|c\+\+|javascript|typescript|go|rust|c|sql)\b"
    r"|\b(?:convert|port|rewrite|migrate)\b[^\n]{0,40}\b(?:java|python|kotlin|typescript|rust|go|c\+\+|swift)\b"
    r"|\bendpoint\b[^\n]{0,200}\b(?:make|fix|add|return)\b|\bfix (?:it|this|the (?:bug|error|test|tests|build))\b"
    r"|\b(?:add|fix|change|update|in|to)\b[^\n]{0,40}\b[\w/]+\.(?:py|js|ts|tsx|go|rs|java|cpp|c|h|rb|sh)\b",
    rf"(?:写|实现|编写|创建|生成|开发|设计|封装|重构|优化|补全|修复|修改)[^\n。！？]{{0,30}}?{_THING_ZH}"
    r"|用 ?(?:python|java|javascript|typescript|go|rust|c\+\+|c#|c|php|sql|shell|bash|react|vue)"
    r"[^\n。]{0,12}(?:写|实现|完成|做)|怎么(?:写|实现)|(?:完整|示例|给出[^\n。]{0,4})代码"
    r"|(?:用|使用|基于|给我一?[个段]?|来一?[个段]) ?(?:python|java|javascript|js(?!on)|typescript|node"
    r"|go|rust|c\+\+|php|sql|shell|bash"
    r"|react|vue|pandas|numpy|django|flask|spring|redis|正则)(?![^\n]{0,15}(?:区别|优缺点|是什么|好处|吗))"
    r"|用(?:递归|动态规划|双指针|栈|队列|链表|二分)",
)
CHANGE = Rule(
    _cues(
        "fix refactor rewrite optimize optimise convert port improve modify change add extend complete "
        "implement simplify write translate clean speed make"
    ),
    r"\b(?:fix|refactor|rewrite|optimi[sz]e|convert|port|improve|modify|change|add|extend|complete|implement|simplify"
    r"|write|translate|clean up|speed up|make (?:it|this))\b",
    r"修一?下|修复|修改|改[成为写一]|重构|优化|补全|实现|改进|完善",
)
SUMMARISE = Rule(
    _cues(
        "summarize summarise summary summarizing summarising summaries tl tldr gist recap condense key main "
        "boil nutshell abstract digest shorten say"
    ),
    r"\b(?:summar(?:y|i[sz]e[sd]?|i[sz]ing|ies)|tl;? ?dr|gist of|recap|condense|key (?:takeaways?|points?)"
    r"|main (?:points?|ideas?)|boil (?:this|it) down|in a nutshell|abstract for|digest of)\b|\bshorten (?:this|the)\b"
    r"|\bwhat does (?:this|the) (?:letter|e-?mail|article|text|message|document|passage|report|paper) say\b",
    r"总结|概括|摘要|概述|归纳|提炼|缩写|要点|大意|主要(?:讲|说|内容|观点)|核心观点",
)
EXTRACT = Rule(
    _cues(
        "extract pull parse classify categorize categorise label tag annotate identify named pick find list "
        "get json sentiment following spam ham word detect answer"
    ),
    rf"{_ORDER}(?:extract|pull out|parse|classify|categori[sz]e|label|tag|annotate|identify all|pick out)\b"
    r"|\b(?:find|list|get)\b[^\n]{0,30}\b(?:all|every|each|names?|dates?|numbers?|e-?mails?|urls?)\b[^\n]{0,60}"
    r"\b(?:text|paragraph|mentioned|below|following|here|message|document|sentence)\b"
    r"|\b(?:return|output|as|into|with)\b[^\n.]{0,20}\bjson\b|\bjson (?:object|array|list)\b|\bsentiment\b"
    r"|\bnamed entit|\bextract (?:the|all|every)\b|\bin the following (?:text|passage|message|e-?mail)"
    r"|\b(?:spam|ham) or (?:ham|spam|not)\b"
    rf"|{_ORDER}detect the\b|\banswer with (?:its|the) [\w-]+ (?:\d[\d-]* )?code\b",
    r"提取|抽取|识别|分类|归类|情感|打.{0,4}标签|标注|找出[^\n。]{0,12}(?:所有|全部)|(?:返回|输出|用|为|成) ?json"
    r"|提到了(?:哪些|什么|谁)"
    r"|原文中的",
)
WRITING = Rule(
    _cues(
        "write draft compose create craft generate pen prepare give come brainstorm suggest turn rewrite "
        "rephrase paraphrase proofread reword polish edit tell formal polite concise casual friendly "
        "professional pretend role-play roleplay continue make need"
    ),
    rf"(?:{_ORDER}|\b(?:i|we) need (?:you to |to )?)"
    r"(?:write|draft|compose|create|craft|generate|pen|prepare|give me|come up with|brainstorm|suggest|turn)\b"
    rf"[^\n]{{0,70}}?\b{_KIND}s?\b"
    rf"|{_ORDER}(?:rewrite|rephrase|paraphrase|proofread|reword|polish|copy-?edit|edit)\b"
    r"|\btell (?:me|us) a (?:\w+ )?(?:joke|story|tale)\b|\bcontinue (?:the|this|my) (?:story|poem|tale|text)\b"
    rf"|\bmake (?:this|my|the) {_KIND}s? (?:sound|read|more|less|shorter|longer|better)\b"
    rf"|\b(?:i|we) need an?\b[^\n.]{{0,30}}\b{_KIND}\b"
    r"|\b(?:more|less) (?:formal|polite|concise|casual|friendly|professional)\b|\bpretend (?:you|to)\b"
    r"|\brole-?play\b",
    r"(?:写|撰写|创作|起草|拟|编|作|想)(?:.{0,2}[一二两三四五六七八九十几\d]+[首篇封个条份段则句副幅]|一?下)"
    r"|(?:写|撰写|创作|起草|拟)[^\n。，]{0,20}(?:诗|文章?|邮件|信|故事|文案|作文|散文|小说|稿|标题|简历|演讲|台词|歌词|评语"
    r"|通知|报告|广告)|起[^\n]{0,10}名|润色|改写|扩写|续写|仿写|文案|讲个?.{0,3}(?:笑话|故事)|为题|作文",
)
PROOF = Rule(_cues("prove proof show disprove"), r"\b(?:prove|proof|disprove)\b|\bshow that\b", r"证明|求证")
REASONING = Rule(
    _cues(
        "compare comparison contrast trade-off trade-offs tradeoffs pros weigh assess evaluate argument "
        "recommend recommendation advise strategy architecture second-order implications hypotheses "
        "hypothesis root advantages disadvantages think reasoning step logical flaws critique risks risk "
        "design plan devise should better who clue clues riddle puzzle truth liar analyze analyse why "
        "happen how argue ethical sides"
    ),
    r"\b(?:comparison|contrast|trade-?offs?|pros and cons|weigh (?:up|the|trade|your|both)|assess(?:ment)?"
    r"|argument|recommend|advise|strategy|architecture|second-order|implications?|hypothes[ie]s|root cause"
    r"|argue|ethical|both sides|advantages|disadvantages|think (?:it|this) through|reasoning|step by step"
    r"|logical flaws?|critique|risks?)\b"
    rf"|{_ORDER}(?:compare|analy[sz]e|evaluate|design|plan|devise)\b"
    r"|\b(?:should|shall) (?:i|we)\b|\bwhat (?:would|will|might) happen\b"
    r"|\bhow (?:do|would|can|could) (?:you|i|we|one) (?:find out|figure out|tell)\b|\bwhich (?:one )?is better\b"
    r"|\b(?:taller|older|faster|heavier|left|shorter|right|younger) (?:than|of)\b[^?]*\bwho\b"
    r"|\b(?:clues?|riddle|puzzle|tells? the truth|liar)\b"
    r"|\bwhy (?:did|do|does|is|are|was|were|would)\b.{40,}|\bwhy\?\s*$",
    r"比较|对比|优缺点|利弊|权衡|分析|推理|论证|评估|应该(?:如何|怎么|选|采用)|还是.{0,20}[？?]|如何(?:设计|排查|解决|制定|规划)"
    r"|方案|策略|架构|说真话|说谎|撒谎|原因有哪些|(?:会发生|有)[^\n。]{0,6}(?:变化|影响)|深入|逻辑|风险|角度",
)
# Sums told in words and notation: English or Chinese, in any case of letters.
TEX = (  # a dollar sign before a space closes nothing: that is a variable of a shell
    r"\$(?! )[^$\n]*[\\^=_<>+{}][^$\n]*(?<! )\$(?!\w)|\$-?[a-z0-9]\w{0,2}\$(?!\w)|\\[dt]?frac\b|\\sqrt\b|\\boxed\b"
    r"|\\int\b|\\sum\b|\\cdot\b|\\begin\{"
)
NOTATION = (
    r"\\\[|\\\(|\d\s*[×÷*^]\s*\d|\b\d+\s*%\s*of\b|\b\d*[xyn]\^\d|\b\d*[xyz]\s*[+\-−]\s*\d*[xyz\d]\s*=|\[asy\]"
    r"|\d\s*[+−]\s*\d|\d \- \d|\d-\d+ ?[=?]|\b[fgy]\(?x?\)?\s*=\s*\d*x"
)
WORKED_OUT = Rule(
    _cues(
        "solve simplify factor factorise factorize differentiate integrate calculate compute evaluate "
        "derivative integral determinant eigenvalues eigenvalue convert"
    ),
    r"\b(?:solve|simplify|factor(?:i[sz]e)?|differentiate|integrate|calculate|compute|evaluate)\b[^\n]{0,40}[\dxy=]"
    r"|\b(?:derivative|integral|determinant|eigenvalues?) of\b|\bconvert [\d.]+\b",
    r"计算(?!机)|解.{0,3}方程|求[^\n。]{0,25}(?:值|和|面积|体积|长|解|导数|概率|积分|极限)|鸡兔同笼",
)
MATH_TERM = Rule(
    _cues(
        "probability integer integers polynomial divisor divisors factors remainder perimeter circumference "
        "radius radii hypotenuse triangle rectangle prime digits digit quadratic equation logarithm sequence "
        "permutations ratio average multiple divided divisible fraction sum product coordinates percent "
        "percentage ways vertex matrix modulo angle angles midpoint circle circles cube sphere square "
        "consecutive arithmetic geometric odds mean median profit interest volume area"
    ),
    r".",
    r"概率|面积|周长|等差|等比|余数|平均|利率|速度|百分之|打[一二三四五六七八九]折",
)
HOW_MANY = Rule(
    _cues("how what what's whats find determine calculate when much many express compute"),
    r"\bhow (?:many|much|long|old|far|fast|tall|big|heavy|large|often|high|deep|wide)\b"
    r"|\bwhat(?:'s|’s| is| was| are| were| will| would| percent\w*| fraction| number| time| total| amount)\b"
    r"|(?:^|[.,;:]\s+(?:then )?|\b(?:to|and|then|please) )(?:find|determine|calculate|compute|express)\b"
    r"|\b(?:in what|in how many|at what|when will)\b"
    r"|\bwhat \w+ (?:\([^)\n]*\) )?(?:is|was|does|did|do|should|would|will|must|has)\b",
    r"多少|几[个只本元块人天小时分米公里岁次张支颗条辆倍]|多[远长久高大]",
)
FIGURE = (
    r"\d[\d,]*(?:\.\d+)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|thirds?"
    r"|quarters?"
    r"|twice|thrice|triple|doubled?|times|hundred|thousand|once|twenty|thirty|fifty|each|every|per)\b"
    r"|[一二两三四五六七八九十百千半]+(?=[个只本元块人天小时分米公里岁次张支颗条辆倍份年月])"
)
# Code is told by the form of its lines; this one is for text in its own case.
CODE_LINE = (
    r"(?m)^[ \t]*[+-]?[ \t]*(?:def \w+\(|async def |class \w+[(:{ ].*[:{]|import \w+|from \w[\w.]* import "
    r"|#include\s*[<\"]|@\w+\("
    r"|(?:public|private|static|protected) [\w<>\[\] ]+[({]|(?:int|long|float|double|char|bool|String) \w+ ?="
    r"|(?:FROM|RUN|COPY|ENV|WORKDIR) \S+$"
    r"|func \w+\(|fn \w+|function\*?\s*\w*\(|package \w+;?$"
    r"|(?:const|let|var|val) [\w{\[]+[^=\n]*=|for ?\(.*\) *\{|for \w+(?:, \w+)* in .*:|while ?\(.*\)|while .*:$"
    r"|if ?\(.*\) *[{\w]|if .*:$|return\b.*[;)\w]$|print ?[(\"%]|assert \w+\(|int \w+\(|\w+(?:\.\w+)*\(.*\);$"
    r"|(?i:select [\w*.,() ]+ from \w+(?:;| where | group | order | limit |$)"
    r"|update \w+ set |insert into |create table )|[.#]?[\w-]+ \{$|Traceback \()"
    r"|console\.log\(|println!?\(|System\.out|=> ?[{\[(\w]|lambda \w+:|\bfind \. -| \| (?:grep|awk|sed|xargs"
    r"|sort)\b"
    r"|^[ \t]*\w+ = .*[\[({].*[\])}]$|\\[dwsDWS][{+*]|`[^`\n]*\w\([^`\n]*`|\(\?[=!:<]|\^\S*\[\S+\]\S*\$"
    r"|print\(.*\)|\bSELECT .+ FROM \w"
    r"|^[\w.]+\(\w*\)\n[\w.]+\("
)
