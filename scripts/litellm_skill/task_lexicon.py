"""Words by which a prompt shows what it is about and what it asks for, by kind. Data: lower case, English and Chinese.

A broad vocabulary of the fields, not of any set of prompts. A word stands in one kind; "|" parts words and phrases; the
plural of an English noun is found by its stem; of orders only the very form counts: who "decides" asks for nothing.
"""

from __future__ import annotations

# What a prompt may be about.
LANGUAGE = (
    "python|python3|java|javascript|js|typescript|ts|rust|golang|kotlin|swift|c++|cpp|c++11|c++14|c++17|c++20|c#"
    "|csharp|php|ruby|perl|scala|bash|zsh|powershell|shell|sql|mysql|plsql|t-sql|html|html5|css|scss|sass|less"
    "|haskell|elixir|erlang|clojure|lua|dart|fortran|cobol|matlab|octave|julia|groovy|solidity|assembly|x86|wasm|f#"
    "|ocaml|lisp|scheme|prolog|vba|apex|abap|zig|nim|verilog|vhdl|latex|tikz|pinescript|glsl|hlsl|gdscript|cuda"
    "|objective-c|delphi|pascal|graphql|cypher|sparql|xpath|xslt|hcl|jsx|tsx|awk|sed|makefile|dockerfile|jsonpath"
    "|promql|logql|dax|power query|vimscript|elisp|tcl|racket|crystal|lambda calculus|c语言|汇编|易语言"
)
TOOL = (
    "react|vue|vue3|vue2|angular|svelte|next.js|nextjs|nuxt|node|node.js|nodejs|deno|bun|express|nestjs|koa|fastify"
    "|jquery|redux|zustand|pinia|vuex|tailwind|bootstrap|webpack|vite|rollup|esbuild|babel|eslint|prettier|npm|pnpm"
    "|yarn|pip|poetry|uv|conda|cargo|clap|serde|tokio|axum|actix|gradle|maven|spring|spring boot|springboot|hibernate"
    "|mybatis|jpa|lombok|junit|mockito|django|flask|fastapi|celery|pydantic|sqlalchemy|alembic|pandas|numpy|scipy"
    "|sklearn|scikit-learn|pytorch|tensorflow|keras|matplotlib|seaborn|plotly|polars|pyspark|spark|airflow|dbt|dask"
    "|opencv|pygame|tkinter|pyqt|selenium|playwright|cypress|puppeteer|scrapy|beautifulsoup|bs4|requests|aiohttp"
    "|httpx|asyncio|pytest|unittest|jest|vitest|mocha|rspec|rails|sinatra|laravel|symfony|wordpress|composer|docker"
    "|docker compose|docker-compose|podman|kubernetes|k8s|helm|kubectl|istio|terraform|pulumi|ansible|puppet|chef"
    "|vagrant|jenkins|github actions|gitlab ci|gitlab-ci|circleci|argocd|nginx|apache|caddy|haproxy|traefik|envoy"
    "|openresty|postgres|postgresql|sqlite|mariadb|mongodb|mongo|mongoose|redis|cassandra|dynamodb|elasticsearch"
    "|clickhouse|bigquery|snowflake|duckdb|oracle|sql server|supabase|firebase|prisma|drizzle|typeorm|knex|kafka"
    "|rabbitmq|nats|mqtt|grpc|protobuf|websocket|websockets|openapi|swagger|prometheus|grafana|loki|opentelemetry"
    "|sentry|datadog|aws|s3|ec2|lambda function|azure|gcp|cloudflare|vercel|cloudformation|cdk|iam|git|github|gitlab"
    "|svn|linux|ubuntu|debian|centos|systemd|systemctl|cron|crontab|ssh|rsync|curl|wget|jq|grep|ffmpeg|imagemagick"
    "|tmux|vim|neovim|emacs|vscode|postman|excel|google sheets|vlookup|apps script|arduino|esp32|esp8266|raspberry pi"
    "|stm32|freertos|unity|unreal|godot|roblox|three.js|d3|d3.js|phaser|love2d|flutter|riverpod|react native|swiftui"
    "|uikit|jetpack compose|android|xcode|electron|tauri|qt|wpf|asp.net|.net|entity framework|ef core|linq|blazor"
    "|junit5|streamlit|gradio|langchain|huggingface|transformers|ggplot2|dplyr|tidyverse|shiny|cmake|gcc|clang|bazel"
    "|conan|vcpkg|boost|stl|pthread|openmp|valgrind|gdb|discord.js|discord bot|telegram bot|chrome extension|hadoop"
    "|hive|flink|nacos|dubbo|rocketmq|mybatis-plus|element-plus|element ui|antd|ant design|uniapp|echarts|微信小程序"
    "|小程序|springcloud|jdbc|servlet|thymeleaf|websocket server|zookeeper|etcd|consul|vault|iptables|samba|logstash"
    "|fluentd|kustomize|pre-commit|ruff|mypy|black|flake8|tox|nox|sphinx|storybook|htmx|alpine.js|astro|remix|solidjs"
    "|rxjs|zod|axios|lodash|moment|dayjs|date-fns|luxon|regex101|leetcode|codeforces|hackerrank|advent of code|力扣"
    "|牛客|蓝桥杯|acm|oj"
)
CODE = (
    "code|coding|function|functions|method|methods|class|classes|script|scripts|program|programs|query|queries|regex"
    "|regexp|regular expression|unit test|unit tests|test case|test cases|tests|algorithm|one-liner|oneliner|snippet"
    "|boilerplate|decorator|parser|lexer|module|cli|command|commands|middleware|schema|migration|macro|type hints"
    "|type hint|endpoint|endpoints|api|rest api|component|components|hook|hooks|webpage|website|web page|landing page"
    "|app|plugin|extension|crawler|scraper|bot|daemon|cron job|cronjob|workflow|pipeline|manifest|config"
    "|configuration|config file|stored procedure|trigger|materialized view|index|indexes|cte|window function|join"
    "|subquery|wrapper|helper|utility|library|package|sdk|client|server|handler|controller|service|repository pattern"
    "|interface|struct|enum|trait|generic|generics|iterator|generator|context manager|dataclass|codable|polyfill|shim"
    "|fixture|mock|mocks|linter|formatter|compiler|interpreter|shader|animation|layout|navbar|modal|dropdown|carousel"
    "|form validation|login form|formula|mapping|keybinding|alias|template|playbook|crd|unit file|alert rule"
    "|dashboard|values|webhook|socket|backend|frontend|implementation|solution|pseudocode|codebase|repo|repository"
    "|docstring|docstrings|type annotations|callback|promise|async|await|closure|lambda|coroutine|goroutine|mutex"
    "|semaphore|singleton|factory|observer|observer pattern|state machine|debounce|throttle|rate limiter"
    "|rate limiting|lru cache|cache|linked list|binary tree|hash map|hashmap|hash table|heap|trie|stack|queue"
    "|priority queue|binary search|quicksort|merge sort|bubble sort|bfs|dfs|dijkstra|dynamic programming|two pointers"
    "|sliding window|backtracking|recursion|union find|topological sort|game|calculator|代码|函数|脚本|程序|正则"
    "|正则表达式|语句|算法|组件|接口|单元测试|测试用例|单测|命令|一行命令|网页|页面|爬虫|缓存|配置|配置文件|存储过程"
    "|触发器|视图|遍历|二叉树|链表|数组|字典|列表推导|栈|队列|哈希表|堆排序|排序|快排|冒泡|二分|二分查找|动态规划"
    "|递归|回溯|贪心|双指针|滑动窗口|装饰器|中间件|拦截器|过滤器|过滤器链|线程池|协程|多线程|单例|单例模式|工厂模式"
    "|观察者模式|泛型|枚举类|注解|切面|定时任务|登录页|登录接口|后端|前端|小游戏|贪吃蛇|计算器|机器人|插件|油猴脚本"
    "|建表|建表语句|索引|迁移脚本|分页|增删改查|防抖|节流|限流|分布式锁|类型注解|类型声明|文档字符串|宏|公式|模板"
    "|流水线|源码|伪代码|工具类|封装|异步|同步|回调|钩子|指令|路由|状态管理|着色器|动画效果|样式|布局|弹窗|轮播图"
    "|导航栏|表单|下拉框"
)
PARTS = (
    "variable|variables|array|arrays|string|strings|integer overflow|loop|loops|pointer|pointers|thread|threads|null"
    "|undefined|nan|boolean|bool|int|float|list|lists|dict|dictionary|tuple|tuples|json|yaml|xml|csv|toml|ini|tsv"
    "|parquet|object|objects|key|keys|row|rows|column|columns|table|tables|field|fields|header|headers|cookie|token"
    "|jwt|oauth|port|stdin|stdout|stderr|exit code|env var|environment variable|timeout|retry|retries"
    "|exponential backoff|thread-safe|thread safe|immutable|in place|in-place|edge cases|edge case|complexity|o(n)"
    "|o(1)|big-o|big o|pagination|transaction|foreign key|primary key|upsert|payload|request body|status code|404|500"
    "|cors|csrf|localhost|dom|div|flexbox|grid|selector|props|state|usestate|useeffect|ref|scope|hoisting"
    "|garbage collection|memory leak|race condition|deadlock|n+1|stdlib|standard library|no dependencies|import"
    "|export|parameter|parameters|argument|arguments|return value|input|output format|byte|bytes|bit|bits|hex|base64"
    "|utf-8|encoding|unicode|sprite|collision|camera|player|matrix|node|nodes|变量|字符串|循环|指针|线程|线程安全"
    "|空指针|布尔|整数|浮点数|对象|键|字段|列名|表头|请求头|端口|超时|重试|参数|入参|返回值|事务|主键|外键|分库分表"
    "|跨域|边界|边界情况|越界|时间复杂度|空间复杂度|复杂度|内存泄漏|死锁|并发|竞态|编码|二进制|十六进制|节点|根节点"
    "|父组件|子组件|作用域|闭包|原型链|标准库|第三方库|依赖"
)
ERROR = (
    "error|errors|exception|exceptions|stack trace|stacktrace|traceback|segfault|segmentation fault|core dumped|crash"
    "|crashes|crashed|nullpointerexception|typeerror|valueerror|keyerror|indexerror|attributeerror|nameerror"
    "|syntaxerror|importerror|modulenotfounderror|referenceerror|runtimeerror|undefined behaviour|undefined behavior"
    "|cannot find|cannot|can't resolve|not found|failed|fails|failing|flaky|broken|doesn't work|not working"
    "|won't compile|doesn't compile|won't build|compile error|build fails|exit status|permission denied"
    "|connection refused|timed out|infinite loop|oom|panic|deprecated|warning|warnings|leak|leaks|leaking|hangs"
    "|throws|throwing|npe|报错|异常|崩溃|闪退|编译不过|编译错误|编译失败|运行不了|跑不起来|不生效|没反应|不工作|卡死"
    "|死循环|空指针异常|警告|失败|泄漏|超时了|超时|段错误|乱码|白屏|内存溢出"
)
FIGURES = (
    "probability|integers|integer|polynomial|divisor|divisors|factors|remainder|perimeter|circumference|radius|radii"
    "|hypotenuse|triangle|rectangle|prime|primes|digits|digit|quadratic|equation|equations|logarithm|sequence"
    "|permutations|combinations|ratio|average|multiple|divided|divisible|fraction|sum|product|coordinates|percent"
    "|percentage|modulo|angle|angles|midpoint|circle|circles|cube|sphere|consecutive|arithmetic|geometric|odds|mean"
    "|median|variance|standard deviation|profit|interest|interest rate|volume|area|square root|dice|die|coin|coins"
    "|cards|derivative|integral|determinant|eigenvalue|eigenvalues|limit|slope|tangent|sin|cos|tan|log|ln|speed|km/h"
    "|mph|per hour|per day|per week|each|altogether|in total|total|left over|remaining|twice|half|double|triple"
    "|discount|expected value|binary to decimal|概率|面积|周长|体积|等差|等比|数列|余数|平均|平均数|利率|利息|速度"
    "|百分之|半径|直径|打折|八折|九折|七折|方程|方程组|函数值|最大值|最小值|导数|积分|极限|行列式|特征值|矩阵|排列"
    "|组合|种排法|不同的排法|期望|方差|质数|因数|公约数|公倍数|一共|总共|剩下|还剩|原价|每小时|每天|千米|公里|厘米"
    "|平方米|三角形|长方形|正方形|圆|几何|倍|鸡兔同笼|甲乙|求值|化简|解方程|因式分解"
)
TONGUE = (
    "english|french|german|spanish|italian|portuguese|russian|japanese|korean|dutch|arabic|hindi|turkish|polish"
    "|chinese|mandarin|cantonese|latin|greek|swedish|vietnamese|thai|indonesian|ukrainian|hebrew|brazilian portuguese"
    "|czech|danish|norwegian|finnish|hungarian|romanian|persian|urdu|bengali|malay|swahili|tamil|español|français"
    "|deutsch|italiano|anglais|allemand|ins deutsche|ins englische|auf deutsch|auf englisch|al inglés|en français"
    "|en anglais|英文|英语|中文|汉语|日语|日文|韩语|韩文|法语|法文|德语|德文|俄语|俄文|西班牙语|西语|葡萄牙语"
    "|意大利语|阿拉伯语|泰语|越南语|印尼语|拉丁语|文言文|白话文|白话|现代汉语|粤语|繁体|简体中文|双语|外语"
)
OPUS = (
    "poem|haiku|sonnet|limerick|story|stories|tale|fairy tale|bedtime story|novel|chapter|essay|article|blog"
    "|blog post|post|e-mail|email|letter|cover letter|speech|toast|lyrics|song|rap|tweet|thread|caption|slogan"
    "|tagline|headline|title|subject line|biography|bio|dialogue|scene|screenplay|monologue|review|reply|response"
    "|message|text message|description|product description|job description|job ad|advert|ad|ad copy|copy|newsletter"
    "|press release|resume|cv|memo|statement|invitation|obituary|eulogy|joke|jokes|riddle|plot|outline|announcement"
    "|note|apology|excuse|complaint|testimonial|recommendation letter|reference letter|thank-you note|wedding vows"
    "|vows|greeting|birthday message|out-of-office|linkedin post|instagram caption|linkedin|instagram|pitch"
    "|elevator pitch|intro|introduction|conclusion|paragraph|names|name|nickname|motto|backstory|fan fiction|parody"
    "|diary entry|postcard|诗|七言绝句|五言|宋词|对联|藏头诗|文章|邮件|信|情书|故事|童话|文案|作文|散文|小说|稿|稿子"
    "|演讲稿|发言稿|新闻稿|标题|简历|自我介绍|自我评价|演讲|台词|歌词|评语|通知|报告|述职|述职报告|年终总结|广告"
    "|广告语|朋友圈|朋友圈文案|小红书|公众号|推文|祝福语|祝福|贺词|致辞|开场白|检讨书|检讨|请假条|辞职信|道歉信"
    "|感谢信|推荐信|求职信|邀请函|读后感|观后感|段子|相声|剧本|短剧|对白|日记|悼词|请柬|口号|名字|昵称|网名|世界观"
    "|人物设定|好评|差评|短信|微信|话术|加油稿|倡议书"
)

# Who is written to, and in what voice.
VOICE = (
    "polite|politely|formal|informal|casual|friendly|professional|funny|humorous|witty|warm|heartfelt|sarcastic"
    "|enthusiastic|persuasive|catchy|punchy|concise|diplomatic|firm but|tone|in the style of|as if you were"
    "|first person|third person|rhyming|rhyme|dramatic|spooky|romantic|sincere|apologetic|less angry|more confident"
    "|natural|readable|fluent|cringe|礼貌|委婉|正式|口语|口语化|幽默|搞笑|风趣|温馨|诚恳|真诚|感人|文艺|俏皮|简洁"
    "|通顺|流畅|语气|风格|口吻|有感染力|吸引人|接地气|高大上|煽情|轻松一点"
)
PERSON = (
    "boss|manager|coworker|colleague|colleagues|team|customer|customers|client's|landlord|tenant|neighbor|neighbour"
    "|neighbours|professor|prof|teacher|students|student|wife|husband|girlfriend|boyfriend|mom|mum|mother|dad|father"
    "|sister|brother|daughter|son|grandma|grandmother|friend|friends|guests|investors|recruiter|hiring manager|hr"
    "|developers|developer|engineers|engineer|programmer|programmers|stakeholders|audience|parents|老板|领导|同事"
    "|客户|用户们|房东|邻居|老师|导师|学生|家长|老婆|老公|女朋友|男朋友|妈妈|爸爸|奶奶|爷爷|姐姐|妹妹|弟弟|哥哥|朋友"
    "|室友|同学|嘉宾|投资人|评委|程序员|工程师|后端组长|甲方"
)

# What is asked for: orders.
MAKE = (
    "write|wrote|implement|create|build|develop|generate|make|code up|provide|define|construct|produce|give me|gimme"
    "|show me|set up|put together|spin up|whip up|scaffold|need|want|looking for|i'd like|i would like|would like"
    "|come up|help me write|design|bootstrap a|写|写个|写一个|写一段|写一条|写一份|写一篇|写一首|写一封|编写|实现"
    "|创建|生成|开发|做一个|做个|搞一个|搞个|弄个|整一个|来一个|来个|来一段|给我一个|给一个|给个|给一段|给段|要一个"
    "|要个|需要一个|想要一个|想要|搭一个|搭建|设计一个|出一个|手写|帮我写|帮忙写|麻烦写"
)
CHANGE = (
    "fix|refactor|rewrite|optimize|optimise|convert|port|improve|modify|change|add|extend|complete|simplify|clean up"
    "|speed up|debug|migrate|replace|rename|patch|rework|split|merge|remove|get rid of|make it|make this"
    "|turn this into|turn this|turn it into|update|upgrade|transform|vectorize|parallelize|parametrize|memoize|wrap"
    "|inline|extract into|dedupe|deduplicate|correct|adapt|adjust|finish|fill in|make sure|faster|so that it"
    "|instead of|修|修一下|修改|修复|修好|改|改成|改为|改写成|改一下|改下|改造|重构|优化|优化掉|补全|补充|完善|改进"
    "|加上|加个|加一个|增加|添加|去掉|删掉|换成|替换|替换成|拆成|拆分|合并|转成|转换成|转换|迁移到|升级到|支持|兼容"
    "|精简|简化|提速|更快|向量化|并行"
)
EXPLAIN = (
    "explain|explanation|describe|walk me through|walk through|walk me|review|understand|trace|interpret|analyze this"
    "|what does|what do|what is this|what's this|what are these|what's going on|what happens|what happens if|mean"
    "|means|meaning|how does this|how does it|how this works|line by line|step through|in plain english|purpose"
    "|responsible for|look at|reading|tell me what|tell me why|tell me whether|figure out|why does|why do|why is"
    "|why isn't|why doesn't|why did|is this|is it|does this|does it|can this|will this|could this|are there|is there"
    "|does the|is the|解释|解释下|解释一下|讲讲|讲一下|讲解|说明|说明一下|说说|看看|看一下|看下|帮我看|检查|阅读"
    "|读一下|分析一下|干嘛|干啥|干什么|做什么|做了什么|什么意思|啥意思|作用|有什么用|什么用|用途|职责|含义|原理"
    "|怎么理解|怎么回事|逐行|逐行解释|为什么|为啥|为何|怎么会|怎么是|是不是|会不会|有没有|能不能|是否|哪里|哪一行"
    "|第几行|哪行|哪个|什么时候|区别|吗"
)
YIELD = (
    "output|outputs|print|prints|printed|return|returns|returned|log|logs|logged|result|results|display|displays"
    "|evaluate|evaluates|predict|what value|value of|final value|raise|raises|throw|how many times|time complexity"
    "|space complexity|worst case|order of|输出|打印|返回|返回什么|运行结果|执行结果|输出结果|结果是|结果|运行后"
    "|执行后|执行顺序|输出顺序|跑完|值是|的值|是多少|是几|各是多少|等于多少|打印几次|执行几次"
)
FAULT = (
    "bug|bugs|wrong|problem|problems|issue|issues|mistake|vulnerability|vulnerable|security|injection|safe|unsafe"
    "|secure|thread-safe?|race|deadlocks|off by one|off-by-one|correct?|reachable|dead code|smell|smells|root cause"
    "|bottleneck|slow|问题|毛病|漏洞|错误|错在哪|哪里错|哪错|不对|有问题|隐患|安全吗|安全|风险点|瓶颈|慢|坑"
)
NO_CODE = (
    "no code|no fix|no patch|don't fix|do not fix|not the fix|no rewrite|no rewrites|don't rewrite|don't need a patch"
    "|without code|just tell|just explain|only explain|only name|just name|in words|in prose|no changes|don't change"
    "|not asking for a fix|don't need code|do not rewrite|just the reason|just want to understand|don't write code"
    "|不要代码|不用写代码|不写代码|不贴代码|不要贴代码|不用改|不要改|别改|只说原因|只要原因|只要结论|指出来就行"
    "|指出即可|列出来即可|不需要修改|先不改|无需代码|只解释|不需要代码|别写代码|不要写代码|只回答|用人话|大白话|通俗"
)
TRANSLATE = (
    "translate|translation|translated|translating|translator|localize|localise|render|traduis|traduire|traduce"
    "|traducir|traduza|übersetze|übersetzen|how do you say|how do i say|how would you say|how to say|say in"
    "|back-translate|transliterate|翻译|翻译成|翻译一下|翻译下|译成|译为|译文|翻成|翻一下|译一下|中译英|英译中|日译中"
    "|中译日|汉译英|英译汉|怎么说|用英语说|怎么表达|英文版|中文版|转成中文|转写成|意译|直译|润译"
)
SUMMARISE = (
    "summarize|summarise|summary|summaries|summarizing|sum up|tl;dr|tldr|gist|recap|condense|condensed|key points"
    "|key takeaways|key takeaway|takeaways|main points|main point|main idea|main ideas|boil|boil down|in a nutshell"
    "|abstract|digest|shorten|shorter version|executive summary|in short|too long|short version of|short notes"
    "|highlights|what's important|important bits|bullet points|bullets|the essence|brief overview|cliffnotes|minutes"
    "|what was decided|总结|总结一下|概括|概括一下|摘要|概述|归纳|归纳一下|提炼|缩写|缩成|压缩成|浓缩|要点|重点"
    "|划重点|大意|中心思想|主旨|主要内容|主要讲|主要说|讲了什么|讲了啥|说了什么|说了啥|核心观点|核心内容|关键信息"
    "|一句话总结|一句话概括|简要|梗概|太长了|精简成|长话短说|小结|梳理要点|三点|几点"
)
EXTRACT = (
    "extract|pull out|pull the|pull all|pick out|parse|classify|classification|categorize|categorise|label|labels|tag"
    "|tags|annotate|identify|list all|list every|list the|list out|find every|which words|mentioned|mentions"
    "|named entities|entities|sentiment|spam|ham|positive or negative|positive negative|positive neutral|intent"
    "|category|categories|as json|in json|json object|json array|json list|into a table|as a table|as csv|get all"
    "|out of this|from the text|from these|detect|what ingredients|who approved|names of|every date|all dates"
    "|all names|phone numbers|email addresses|transcribe|fill the fields|into columns|抽取|提取|提取出|识别|识别出"
    "|分类|归类|情感|情感倾向|情绪|打标签|贴标签|标签|标注|标出|找出|挑出|摘出|列出|列出来|整理成|整理为|返回json"
    "|输出json|用json|成json|结构化|提到了哪些|提到了谁|提到的|出现的|文中|文中的|原文中|句中|句子中|话里|这段话里"
    "|从下面|从以下|从这|从文中|从文本|关键词|实体|人名|地名|机构名|日期|金额|电话|手机号|邮箱|姓名|地址|订单号|正面"
    "|负面|中性|意图|属于哪|哪一类|哪类|褒义|贬义|填入|字段名"
)
LABEL = (
    "one word|one label|single label|one label per line|comma separated|comma-separated|per line|only the|reply with"
    "|respond with|answer with|just the number|number only|逐个|每行一个|用逗号|逗号分隔|只输出|只返回|只给出|只要"
)
EDIT = (
    "rephrase|paraphrase|proofread|reword|polish|copyedit|copy-edit|edit|draft|compose|craft|pen|brainstorm|suggest"
    "|pretend|roleplay|role-play|continue the|sound|sounds|sounding|rewrite this paragraph|tell me a|cheer"
    "|congratulate|invite|thank|apologize|apologizing|announce|announcing|撰写|创作|起草|拟|拟一份|拟一个|编|编一个"
    "|编个|作一首|想一个|想几个|想个|起|起个|取个|取名|起名|润色|改写|改写一下|扩写|续写|仿写|讲个|讲一个|为题|扮演"
    "|模仿|代写|措辞|怎么回复|怎么回|回复一下|帮我回"
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
    "|会怎样|会发生什么|策略|方案|思路|规划|长远"
)
THINK = (
    "step by step|think through|think it through|think carefully|reason|reasoning|reason carefully|logical|logically"
    "|logic|puzzle|riddle:|clue|clues|liar|lying|truth|tells the truth|exactly one|prove|proof|disprove|show that"
    "|deduce|infer|why would|what if|imagine|hypothesis|hypotheses|root causes|causes|mechanism|mechanisms|plan"
    "|roadmap|design the architecture|architecture|in words|failure modes|risks|phases|rollout|prioritize|diagnose"
    "|troubleshoot|figure out why|how come|explain why|explain how|analyze|analyse|discuss|philosophically|in depth"
    "|deeper|survive|推理|逻辑|一步步|逐步推理|分析|深入|深入分析|展开|展开说说|证明|求证|假设|如果|说真话|说假话"
    "|说谎|撒谎|谁说|过河|称重|天平|原因|可能的原因|怎么排查|排查|如何设计|怎么设计|如何解决|怎么解决|怎么办|怎么处理"
    "|办法|制定|计划|路线图|架构|步骤|阶段|推断|为什么说|背后|本质|矛盾|反驳|悖论|博弈|预测一下"
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
    "|what is a|what is an|what is the|difference between|the difference|pronounce|default port|released"
    "|first released|born|died|population|located|does it take|name the|name three|recommend a|can dogs|is it safe to"
    "|how do you pronounce|synonym|spell|meaning of|short version|in one sentence|one sentence|briefly|quick question"
    "|simple words|eli5|in simple terms|什么是|是什么|是谁|谁|哪年|哪一年|哪国|哪国人|哪里人|在哪|在哪里|首都|发明"
    "|发现|全称|缩写是|叫什么|指的是什么|指什么|有多高|有多大|多少天|什么时候发布|默认端口|一句话|一两句话|简单说"
    "|简单说说|简短|推荐|怎么读|读音|哪个朝代|属于什么|哪家公司|谁写的|谁发明"
)

KINDS: dict[str, str] = {
    "a programming language": LANGUAGE,
    "a tool": TOOL,
    "a kind of code": CODE,
    "parts of programs": PARTS,
    "an error": ERROR,
    "quantities": FIGURES,
    "a human language": TONGUE,
    "a kind of text": OPUS,
    "a voice": VOICE,
    "people": PERSON,
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
