"""Words by which a prompt shows what it asks for, and by task_subjects what it is about: lower case, English, Chinese.

A broad vocabulary of the fields, not of any set of prompts. A word stands in one kind; "|" parts words and phrases; the
plural of an English noun is found by its stem; of orders only the very form counts: who "decides" asks for nothing.
"""

from __future__ import annotations

from litellm_skill import task_subjects as subjects

# What is asked for: orders.
MAKE = (
    "write|wrote|implement|create|build|develop|generate|make|code up|provide|define|construct|produce|give me|gimme"
    "|show me|set up|put together|spin up|whip up|scaffold|need|want|looking for|i'd like|i would like|would like"
    "|come up|help me write|design|bootstrap a|写|写个|写一个|写一段|写一条|写一份|写一篇|写一首|写一封|编写|实现"
    "|创建|生成|开发|做一个|做个|搞一个|搞个|弄个|整一个|来一个|来个|来一段|给我一个|给一个|给个|给一段|给段|要一个"
    "|要个|需要一个|想要一个|想要|搭一个|搭建|设计一个|出一个|手写|帮我写|帮忙写|麻烦写|something for|something that"
    "|something to|anything that|what formula|which formula|what's the formula|formula for|formula to|formula that"
    "|what command|which command do i|what's the command|command to|command for|command that|query to|query for"
    "|query that|script to|script for|script that|macro to|macro that|regex for|regex to|regex that|function to"
    "|function that|function which|program that|program to|how do i|how can i|how do we|how would i|how to"
    "|is there a way to|any way to|way to|please provide|please give|please share|please send|could i get|can i get"
    "|can i have|could i have|may i have|would love|i'm after|i am after|i'm trying to|i am trying to|we need"
    "|we want|we'd like|i need|i want|must have|should support|should handle|supporting|knock up|knock together"
    "|knock out|throw together|cook up|hack together|quick script|quick function|sample code|example code|code for"
    "|code to|code that|boilerplate for|template for|minimal example|working example|complete example|full example"
    "|full code|complete code|prototype|poc|demo of|scrape|crawl|parse the|sort the|count the number|print all"
    "|check whether|check if|validate|write me|write us|write a|write an|write the|怎么写|怎么实现|如何实现|如何用"
    "|怎么用|怎样用|怎么做|咋写|咋做|怎么弄|怎么设置|如何设置|怎么配|怎么配置|如何配置|求一个|求个|求一段|求助"
    "|求代码|求大佬|想实现|想做|想做一个|想写|想写一个|我想要|我要|我需要|需要写|需要实现|请实现|请写|请编写|请用"
    "|请给出|请提供|请设计|给出|给出代码|给我写|帮我做|帮我弄|帮我搞|帮忙做|帮忙弄|帮忙搞|有没有办法|有什么办法"
    "|能不能写|能不能帮我写|能否写|可以写|可以帮我写|写一下|写下|写出|写条|写句|写篇|写首|写封|写道|画一个|画出|画图"
    "|绘制|爬取|输入一个|定义一个|设计|仿照|手撕|完整代码|完整的代码|示例代码|参考代码|代码示例|最小示例"
)
CHANGE = (
    "fix|refactor|rewrite|optimize|optimise|convert|port|improve|modify|change|add|extend|complete|simplify|clean up"
    "|speed up|debug|migrate|replace|rename|patch|rework|split|merge|remove|get rid of|make it|make this"
    "|turn this into|turn this|turn it into|update|upgrade|transform|vectorize|parallelize|parametrize|memoize|wrap"
    "|inline|extract into|dedupe|deduplicate|correct|adapt|adjust|finish|fill in|make sure|faster|so that it"
    "|instead of|修|修一下|修改|修复|修好|改|改成|改为|改写成|改一下|改下|改造|重构|优化|优化掉|补全|补充|完善|改进"
    "|加上|加个|加一个|增加|添加|去掉|删掉|换成|替换|替换成|拆成|拆分|合并|转成|转换成|转换|迁移到|升级到|兼容|精简"
    "|简化|提速|更快|向量化|并行|tidy|tidy up|clean this|cleanup|rewrite this|modernize|modernise"
    "|translate this function|rewrite in|translate into|shorten this code|dry up|harden|annotate with types"
    "|add types|type this|cover with tests|mock out|make it work|get it to work|get this to work|make that|switch to"
    "|switch from|break up|break this|unroll|cache this|lazy load|parameterize|parameterise|parallelise|vectorise"
    "|normalize|normalise|denormalize|deduplicate rows|drop duplicates|reshape|pivot longer|recode|impute|left-join"
    "|append|prepend|enforce|disable|bump|downgrade|backport|rebase onto|squash|revert|back up|rename all|delete all"
    "|delete files|restart|install|uninstall|deploy|encrypt|compress|resize|crop|concatenate|整理代码|改写这段"
    "|改一改|改得|改造成|改用|改进一下|修正|修一修|修掉|解决掉|弄好|调整|调一下|换一种写法|换种写法|换成用|重写"
    "|翻译成python|翻译成java|翻译成go|转为|转化为|转置|拼接|合并成|合并到|汇总|汇总到|拆开|拆到|拆出来|抽成|抽出来"
    "|封装成|提取成函数|加注释|加上注释|加类型|加缓存|加日志|加锁|加重试|加异常处理|补上|补一个|补个|批量|批量改"
    "|批量重命名|批量替换|批量删除|自动化|每天自动|导出到|配置一个|禁用|放行|屏蔽|筛选出|标红|标黄|高亮|去除|剔除"
    "|清洗|填充|补齐|对齐|居中|自适应|needs to become|need to become|should become|must become|has to become|turn my"
    "|turn these|make my|tweak|streamline|支持|annotate|type-annotate|add type hints|type hints|docstrings|makeover"
    "|facelift|bring up to|up to date|改对|改好|想改成|直接改"
)
EXPLAIN = (
    "explain|explanation|describe|walk me through|walk through|walk me|review|understand|trace|analyze this"
    "|what does|what do|what is this|what's this|what are these|what's going on|what happens|what happens if|mean"
    "|means|meaning|how does this|how does it|how this works|line by line|step through|in plain english|purpose"
    "|responsible for|look at|reading|tell me what|tell me why|tell me whether|figure out|why does|why do|why is"
    "|why isn't|why doesn't|why did|is this|is it|does this|does it|can this|will this|could this|is there|does the"
    "|is the|解释|解释下|解释一下|讲讲|讲一下|讲解|说明|说明一下|说说|看一下|看下|帮我看|检查|阅读|读一下|分析一下"
    "|干嘛|干啥|干什么|做什么|做了什么|什么意思|啥意思|作用|有什么用|什么用|用途|职责|含义|原理|怎么理解|怎么回事"
    "|逐行|逐行解释|为什么|为啥|为何|怎么会|怎么是|是不是|会不会|有没有|能不能|是否|哪里|哪一行|第几行|哪行|什么时候"
    "|区别|吗|state what|state which|say what|tell us what|in words what|read this|read through|decipher"
    "|make sense of|clarify|what exactly|what is happening|what kind of|what role|what effect|what would happen"
    "|what happens to|what happens when|what will happen|what gets|what causes|what is he|what is she|what are they"
    "|under what|under which|when would|when will|how come this|how does the|how do these|how would|where is"
    "|where does|which line|which lines|which part|which branch|which user|which users|which files|which rows"
    "|which of these lines|which one of these|do these|do they|do i need|do we need|will it|will they|would it"
    "|would this|would these|would blanks|should this|could it|can it|are these|has this|did the|was this"
    "|sanity check|sanity-check|double check|double-check|second pair of eyes|thoughts on this|anything wrong"
    "|anything off|what's wrong|what is wrong|summarize what this|describe what|comment on|annotate what"
    "|translate to english|in layman's terms|for a non-programmer|for a beginner|for non-technical|to a junior"
    "|found this|came across|stumbled|predecessor|colleague wrote|left behind|documentation for|tell apart"
    "|equivalent|the same as|differ|differs|difference between these|能访问|会变成|会变成什么|会怎么样|会报错|会执行"
    "|会不会报错|会出现|能匹配|匹配什么|匹配哪些|匹配到|能跑|能运行|能通过|哪几行|哪些行|哪些文件|哪部分|哪一步"
    "|哪个分支|几层|这段|这行|这句|这条|这几行|这几条|这两段|这两行|这两种|这个公式|这个函数|这个脚本|这个正则"
    "|这个配置|这个类|下面这段|上面这段|以上代码|下列代码|这是什么|这是干|这是做|是做什么|是干什么|起什么作用"
    "|什么作用|有啥用|看不懂|没看懂|不太懂|不明白|帮我理解|帮我解读|解读|解读一下|翻译成人话|说人话|梳理|梳理一下"
    "|审查|审一下|评审|过一遍|检查一下|查一下|确认|确认一下|等价|等价吗|一样吗|相同吗|有区别|有什么区别|有何区别"
    "|对吗|对不对|行吗|可以吗|成立吗|前任|同事留下|离职同事|接手|plain description|看看|哪个|which statistical test"
    "|which test|before i present|before we touch|before i sign|before i run"
    "|don't get|do not get|don't understand|do not understand|can't work out|cannot work out|can't see why|can't tell"
    "|lost as to|confused|confuses me|puzzled|no idea what|no idea why|what for|are for|is for|how come|is this really"
    "|is he right|is she right|who's right|who is right|claims|i doubt|just want to know|want to understand"
    "|only the explanation|explanation only|in words|加上之后|加上以后|加了之后|改成之后|改了之后|用了以后|没明白|没懂"
    "|搞不懂|搞不清|想不通|不理解|怎样的|是真的吗|真的吗|代表什么|表示什么|指什么|究竟|到底|说原因|说思路|道理|不用改|别改"
    "|不需要代码|别动代码|只提意见|指出来|指出"
)
YIELD = (
    "output|outputs|print|prints|printed|return|returns|returned|log|logs|logged|result|results|display|displays"
    "|evaluate|evaluates|predict|what value|value of|final value|raise|raises|throw|how many times|time complexity"
    "|space complexity|worst case|order of|输出|打印|返回|返回什么|运行结果|执行结果|输出结果|结果是|结果|运行后"
    "|执行后|执行顺序|输出顺序|跑完|值是|的值|是多少|是几|各是多少|等于多少|打印几次|执行几次|how many rows"
    "|how many lines|how many iterations|how many requests|how many records|what number|which value|ends up|end up"
    "|end up with|comes out|come out|final state|final output|printed value|does this match|runs at|fired"
    "|gets called|evaluates to|dry run|dry-run|trace table|hand trace|expected output|actual output|what's printed"
    "|what is printed|what is logged|运行出来|运行起来|跑出来|跑一遍|打出来|会输出|会打印|会返回|返回几|输出几"
    "|输出的是|结果为|结果会|最后结果|最终结果|最终值|循环几次|循环多少次|执行多少次|匹配结果|几点执行|什么时候执行"
    "|多久执行一次|查出来|查出几行|返回几行|会被删|还会|what would it match|what does it match|is what|gives what|gives"
    "|equals what|contents of|complexity|big-o|big o|o(n)|running time|runtime of|terminate|terminates|what comes back"
    "|how many objects|how many processes|how many queries|which shape|what shape|推出来|几种|多少次|几次|结果几行"
    "|复杂度|写结果|内容是|等于几|得到什么"
)
FAULT = (
    "bug|bugs|wrong|problem|problems|issue|issues|mistake|vulnerability|vulnerable|security|injection|safe|unsafe"
    "|secure|thread-safe?|race|deadlocks|off by one|off-by-one|correct?|reachable|dead code|smell|smells|root cause"
    "|bottleneck|slow|leak|leaks|leaking|go wrong|went wrong|to blame|at fault|race condition|deadlock|re-enter"
    "|泄漏|泄露|死锁|线程安全|循环引用|问题|毛病|漏洞|错误|错在哪|哪里错|哪错|不对|有问题|隐患|安全吗|安全|风险点|瓶颈|慢|坑"
)
NO_CODE = (
    "no code|no fix|no patch|don't fix|do not fix|not the fix|no rewrite|no rewrites|don't rewrite"
    "|don't need a patch|without code|just tell|just explain|only explain|only name|just name|in words|in prose"
    "|no changes|don't change|not asking for a fix|don't need code|do not rewrite|just the reason"
    "|just want to understand|don't write code|不要代码|不用写代码|不写代码|不贴代码|不要贴代码|不用改|不要改|别改"
    "|只说原因|只要原因|只要结论|指出来就行|指出即可|列出来即可|不需要修改|先不改|无需代码|只解释|不需要代码"
    "|别写代码|不要写代码|只回答|用人话|大白话|通俗"
)
TRANSLATE = (
    "translate|translation|translated|translating|translator|localize|localise|render|traduis|traduire|traduce"
    "|traducir|traduza|übersetze|übersetzen|how do you say|how do i say|how would you say|how to say|say in"
    "|back-translate|transliterate|翻译|翻译成|翻译一下|翻译下|译成|译为|译文|翻成|翻一下|译一下|中译英|英译中"
    "|日译中|中译日|汉译英|英译汉|怎么说|用英语说|怎么表达|英文版|中文版|转成中文|转写成|意译|直译|润译"
)
SUMMARISE = (
    "summarize|summarise|summary|summaries|summarizing|sum up|tl;dr|tldr|gist|recap|condense|condensed|key points"
    "|key takeaways|key takeaway|takeaways|main points|main point|main idea|main ideas|boil down|in a nutshell"
    "|abstract|shorten|shorter version|executive summary|in short|too long|short version of|short notes|highlights"
    "|what's important|important bits|bullet points|the essence|brief overview|cliffnotes|what was decided|总结"
    "|总结一下|概括|概括一下|摘要|概述|归纳|归纳一下|提炼|缩写|缩成|压缩成|浓缩|要点|重点|划重点|大意|中心思想|主旨"
    "|主要内容|主要讲|主要说|讲了什么|讲了啥|说了什么|说了啥|核心观点|核心内容|一句话总结|一句话概括|简要|梗概"
    "|太长了|精简成|长话短说|小结|梳理要点|三点|几点|précis|precis|synopsis|abridge|wrap-up|tl dr|meeting minutes"
    "|minutes of|minutes from|two-sentence|three-sentence|in two sentences|in three sentences|in three bullets"
    "|in five bullets|3 bullets|5 bullets|headline version|what's the upshot|upshot|bottom line|一段话概括|百字以内"
    "|一百字以内|50字以内|100字以内|写个摘要|做个总结|归结|缩短成|what changed|boil this down|digest of"
)
EXTRACT = (
    "extract|pull out|pull the|pull all|pick out|parse|classify|classification|categorize|categorise|annotate"
    "|identify|list all|list every|list the|list out|find every|which words|mentioned|mentions|named entities"
    "|entities|sentiment|spam|ham|positive or negative|positive negative|positive neutral|intent|category|categories"
    "|as json|in json|json object|json array|json list|into a table|as a table|as csv|get all|out of this"
    "|from the text|from these|what ingredients|who approved|names of|every date|all dates|all names|phone numbers"
    "|email addresses|transcribe|fill the fields|into columns|抽取|提取|提取出|识别|识别出|分类|归类|情感|情感倾向"
    "|情绪|打标签|贴标签|标签|标注|标出|找出|挑出|摘出|列出|列出来|整理成|整理为|返回json|输出json|用json|成json"
    "|结构化|提到了哪些|提到了谁|提到的|出现的|文中|文中的|原文中|句中|句子中|话里|这段话里|从下面|从以下|从这"
    "|从文中|从文本|关键词|实体|人名|地名|机构名|日期|金额|电话|手机号|邮箱|姓名|地址|订单号|正面|负面|中性|意图"
    "|属于哪|哪一类|哪类|褒义|贬义|填入|字段名|fields:|with keys|with fields|keys:|json with|to json:|→ json"
    "|sort into|sort these into|bucket|bucket these|tag each|label each|classify each|which category"
    "|which department|route this|triage|redact|list names|list the names|list everyone|give me the names|pull names"
    "|抓出|摘录|取出|找到所有|把人名|把日期|关键信息：|字段：|字段包括|分别属于|属于哪类|判断情感|情感分析|按类别"
    "|归到|detect the language|detect the sentiment|meeting invite parsing|parsing"
)
LABEL = (
    "one word|one label|single label|one label per line|comma separated|comma-separated|per line|only the|reply with"
    "|respond with|answer with|just the number|number only|逐个|每行一个|用逗号|逗号分隔|只输出|只返回|只给出|只要"
)
EDIT = (
    "rephrase|paraphrase|proofread|reword|polish|copyedit|copy-edit|edit|draft|compose|craft|pen|brainstorm|suggest"
    "|pretend|roleplay|role-play|continue the|sound|sounds|sounding|rewrite this paragraph|tell me a|cheer"
    "|congratulate|apologize|apologizing|announce|announcing|撰写|创作|起草|拟|拟一份|拟一个|编|编一个|编个|作一首"
    "|想一个|想几个|想个|起|起个|取个|取名|起名|润色|改写|改写一下|扩写|续写|仿写|讲个|讲一个|为题|扮演|模仿|代写"
    "|措辞|怎么回复|怎么回|回复一下|帮我回|out of office|ooo|auto-reply|auto reply|voicemail greeting|make it warmer"
    "|keep it human|keep it warm|keep it light|ghostwrite|reply to|respond to this|rewrite this email|word this"
    "|phrase this|how should i phrase|tone down|soften|punch up|spice up|thank|invite them|invite everyone"
)
DECIDE = (
    "should i|should we|should a|shall i|shall we|which is better|which one is better|better|worth it|worth"
    "|pros and cons|pros|cons|trade-off|trade-offs|tradeoff|tradeoffs|weigh|compare|comparison|contrast|versus|vs"
    "|recommend|recommendation|advise|advice|argue|argument|arguments|both sides|advantages|disadvantages|downsides"
    "|decide|decision|choose between|pick between|would you|what would you|convince me|verdict|justify|justified"
    "|evaluate this|assess|critique|ethical|is it ever|is it right|debate|stance|perspective|perspectives"
    "|implications|second-order|consequences|long term|strategy|approach|options|该不该|应该|应不应该|要不要|选哪个"
    "|哪个好|哪个更好|哪个更合适|更适合|值不值得|值得|值得吗|利弊|优缺点|优劣|权衡|取舍|比较|对比|建议|怎么选"
    "|如何选择|如何选|还是|评估|评价|论证|辩论|正反|角度|立场|看法|怎么看|合理吗|你觉得|你认为|后果|影响|意味着"
    "|会怎样|会发生什么|策略|方案|思路|规划|长远|make the case|make a case|make sense|makes sense|is it legitimate"
    "|legitimate|is it worth|would it be wise|is it wise|sensible|instead or|go with|go for|stick with|stay or"
    "|buy or rent|lease or buy|rent or buy|build or buy|build vs buy|mix of|think about|what are the risks|pros/cons"
    "|second thoughts|torn between|dilemma|how would you approach|how should we|how should i|what should we"
    "|what should i|划算吗|划不划算|合不合理|有必要吗|有没有必要|要么|纠结|两难|何去何从|怎么权衡|如何权衡|该怎么办"
    "|该怎么选|是否应该|是否值得|是否合理"
)
THINK = (
    "step by step|think through|think it through|think carefully|reason|reasoning|reason carefully|logical|logically"
    "|logic|puzzle|riddle:|clue|clues|liar|lying|truth|tells the truth|exactly one|prove|proof|disprove|show that"
    "|deduce|infer|why would|what if|imagine|hypothesis|hypotheses|root causes|causes|mechanism|mechanisms|plan"
    "|roadmap|design the architecture|architecture|in words|failure modes|risks|phases|rollout|prioritize|diagnose"
    "|troubleshoot|figure out why|how come|explain why|explain how|analyze|analyse|discuss|philosophically|in depth"
    "|deeper|survive|推理|逻辑|一步步|逐步推理|分析|深入|深入分析|展开|展开说说|证明|求证|假设|如果|说真话|说假话"
    "|说谎|撒谎|谁说|过河|称重|天平|原因|可能的原因|怎么排查|排查|如何设计|怎么设计|如何解决|怎么解决|怎么办"
    "|怎么处理|办法|制定|计划|路线图|架构|步骤|阶段|推断|为什么说|背后|本质|矛盾|反驳|悖论|博弈|预测一下"
)
COUNT = (
    "how many|how much|how long|how far|how old|how fast|what is the probability|what fraction|what percentage"
    "|calculate|compute|solve|solve for|find the|evaluate the|simplify the|factor the|differentiate|integrate"
    "|determine|计算|求|多少|几个|几只|几天|几小时|几种|几分钟|几次|几台|多久|多远|多长|多大|几岁|几人|几元|多少元"
    "|多少人|多少种|算|算一下|算算|解"
)
SOCIAL = (
    "hi|hello|hey|thanks|thank you|thx|ok|okay|great|cool|good morning|good night|bye|lol|你好|您好|谢谢|谢啦|好的"
    "|早上好|晚安|再见|哈喽|嗨|在吗|辛苦了|明白了|懂了|收到"
)
FACT = (
    "who|when|where|capital|invented|discovered|wrote|founded|stand for|stands for|define|definition|what's a"
    "|what is a|what is an|what is the|difference between|pronounce|default port|released|first released|born|died"
    "|population|located|does it take|name the|name three|recommend a|can dogs|is it safe to|how do you pronounce"
    "|synonym|spell|meaning of|short version|in one sentence|one sentence|briefly|quick question|simple words|eli5"
    "|in simple terms|什么是|是什么|是谁|谁|哪年|哪一年|哪国|哪国人|哪里人|在哪|在哪里|首都|发明|发现|全称|缩写是"
    "|叫什么|指的是什么|指什么|有多高|有多大|多少天|什么时候发布|默认端口|一句话|一两句话|简单说|简单说说|简短|推荐"
    "|怎么读|读音|哪个朝代|属于什么|哪家公司|谁写的|谁发明|what's the difference|how many rows can|min number of"
    "|minimum number of|最少几|最多几|最多多少|最大支持"
)

KINDS: dict[str, str] = {
    "a programming language": subjects.LANGUAGE,
    "a tool": subjects.TOOL,
    "a kind of code": subjects.CODE,
    "parts of programs": subjects.PARTS,
    "an error": subjects.ERROR,
    "quantities": subjects.FIGURES,
    "a human language": subjects.TONGUE,
    "a kind of text": subjects.OPUS,
    "a voice": subjects.VOICE,
    "people": subjects.PERSON,
    "make": MAKE,
    "change": CHANGE,
    "explain": EXPLAIN,
    "yield": YIELD,
    "faults": FAULT,
    "no code": NO_CODE,
    "translate": TRANSLATE,
    "summarise": SUMMARISE,
    "extract": EXTRACT,
    "a short reply": LABEL,
    "draft": EDIT,
    "decide": DECIDE,
    "think": THINK,
    "how many": COUNT,
    "a greeting": SOCIAL,
    "a fact": FACT,
}
