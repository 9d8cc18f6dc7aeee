/** What the page of roles says. */
export const zh = {
  hint: "内置的三个角色不可修改。新增角色后，在“坐席”中分配。改动对已登录的坐席即时生效。",
  name: "代号",
  title: "名称",
  english: "英文",
  built_in: "内置",
  fresh: "新角色",
  permission: {
    see_all: "查看全部会话与录音",
    supervise: "监听、耳语、强插、接管",
    wallboard: "监控大屏",
    force: "强制更改坐席状态",
    broadcast: "全员通知",
    traces: "通话信令",
    captures: "下载抓包",
    rules: "业务配置",
    accounts: "坐席、密码与角色",
    audit: "操作审计",
  },
};

export const en: typeof zh = {
  hint: "The three built-in roles stay as they are. Give a role to people under “Agents”. A change holds at once, for who is logged in too.",
  name: "Name",
  title: "Title",
  english: "English",
  built_in: "built in",
  fresh: "New role",
  permission: {
    see_all: "see all sessions and recordings",
    supervise: "listen, whisper, join, take over",
    wallboard: "wallboard",
    force: "force an agent's state",
    broadcast: "message to all",
    traces: "signalling of calls",
    captures: "download captures",
    rules: "rules of the house",
    accounts: "agents, passwords, roles",
    audit: "audit",
  },
};
