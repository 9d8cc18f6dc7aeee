/** What the page of write-ups says (`WrapPage.vue`). */
export const zh = {
  hint: "坐席提交整理前必须填写的内容。一条规则对一个队列、一种诉求或全部会话生效，同时符合几条的都要满足。",
  queue: "队列",
  kind: "诉求类型",
  all: "全部",
  needed: "必填",
  field: { kind: "诉求类型", note: "处理摘要" },
  longer: "延长整理时间",
  extend_s: "每次延长（秒）",
  extensions: "每个会话最多几次（0 为不能延长）",
};

export const en: typeof zh = {
  hint: "What an agent must write before a contact is saved. A rule is for one queue, one kind of matter, or all; of several that hold, each must be met.",
  queue: "Queue",
  kind: "Kind of matter",
  all: "all",
  needed: "Needed",
  field: { kind: "kind of matter", note: "summary" },
  longer: "More time",
  extend_s: "Seconds by one press",
  extensions: "How often for one contact (0 is never)",
};
