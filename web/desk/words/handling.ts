/** What is said around a contact: why it comes to this agent, how it is written up, and what will stand beside it. */
export const zh = {
  why: {
    title: "派单理由",
    first: "就绪的 {count} 位坐席里，轮到您",
    only: "现在只有您就绪",
    yours: "这位市民之前由您接待",
    declined: "{count} 位坐席已拒绝",
    unskilled: "{count} 位技能不符",
    busy: "{count} 位正忙或离席",
  },
  wrap: {
    title: "事后整理",
    left: "剩余 {time}",
    longer: "延长 {time}",
    longer_left: "还可延长 {count} 次",
    kind: "诉求类型",
    kinds: ["咨询", "求助", "投诉", "举报", "建议"],
    note: "处理摘要",
    needed: "必填",
    note_placeholder: "诉求要点、处理结果、需要跟进的事项…",
    save: "提交并完成",
    kind_needed: "请选择诉求类型",
    note_needed: "请填写处理摘要",
  },
  places: {
    knowledge: "知识库建议",
    transcript: "实时转写",
    order: "工单",
    empty: "尚未开通",
  },
};

export const en: typeof zh = {
  why: {
    title: "Why you",
    first: "Of {count} agents who are ready it is your turn",
    only: "Only you are ready now",
    yours: "You had this citizen before",
    declined: "{count} declined",
    unskilled: "{count} without the skill",
    busy: "{count} busy or away",
  },
  wrap: {
    title: "Wrap-up",
    left: "{time} left",
    longer: "{time} more",
    longer_left: "{count} more times",
    kind: "Kind of matter",
    kinds: ["Question", "Help", "Complaint", "Report", "Suggestion"],
    note: "Summary",
    needed: "needed",
    note_placeholder: "The matter, what was done, what must follow…",
    save: "Save and complete",
    kind_needed: "Choose the kind of matter",
    note_needed: "Write a summary",
  },
  places: {
    knowledge: "Knowledge",
    transcript: "Live transcript",
    order: "Work order",
    empty: "Not in use yet",
  },
};
