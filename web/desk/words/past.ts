/** What the charts of days past say. */
export const zh = {
  past: {
    title: "历史统计",
    from: "从",
    days: "天数",
    step: "按",
    day: "天",
    hour: "小时",
    queue: "队列",
    all: "全部",
    figure: "指标",
    time: "时间",
    none: "这段时间没有来访",
    chart: "图表，数据见下表",
    table: "数据",
  },
};

export const en: typeof zh = {
  past: {
    title: "Days past",
    from: "From",
    days: "Days",
    step: "By",
    day: "day",
    hour: "hour",
    queue: "Queue",
    all: "All",
    figure: "Figure",
    time: "Time",
    none: "Nobody came in that time",
    chart: "Chart; the numbers stand in the table",
    table: "Numbers",
  },
};
