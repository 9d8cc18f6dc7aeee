/** Business hours as the form has them: the documents' short texts taken apart, and put together again. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
type WeekDay = (typeof DAYS)[number];

export interface Day {
  readonly date: string;
  readonly name: string;
  readonly english: string;
  readonly open: readonly string[];
}

export interface Hours {
  week: string[];
  days: Day[];
}

/** A day that the State Council has set: nobody works, or people do though it is a weekend. */
export interface StatutoryDay {
  readonly date: string;
  readonly name: string;
  readonly english: string;
  readonly works: boolean;
}

export interface Range {
  first: WeekDay;
  last: WeekDay;
  start: string;
  end: string;
}

/** `mon-fri 08:30-18:00`. What is not written so was never in force. */
export function rangeOf(text: string): Range {
  const [days = "", clocks = ""] = text.split(" ");
  const [first = "mon", last = first] = days.split("-") as WeekDay[];
  const [start = "", end = ""] = clocks.split("-");
  return { first, last, start, end };
}

export function written({ first, last, start, end }: Range): string {
  return `${first === last ? first : `${first}-${last}`} ${start}-${end}`;
}

/** When a day of the week is open, as a day of the year says it. */
export function spansOf(week: readonly string[], day: number): string[] {
  return week
    .map(rangeOf)
    .filter(({ first, last }) => (day - DAYS.indexOf(first) + 7) % 7 <= (DAYS.indexOf(last) - DAYS.indexOf(first) + 7) % 7)
    .map(({ start, end }) => `${start}-${end}`);
}

/** What a make-up day (调休上班) is called after the day that it makes up for. */
const MAKE_UP = { zh: "调休上班", en: ", make-up day" };

/** The year's statutory days laid over the days that are set, and how many they are; make-up days have Monday's hours. */
export function withStatutory(hours: Hours, statutory: readonly StatutoryDay[]): Day[] {
  const set = new Map(hours.days.map((day) => [day.date, day]));
  for (const { date, name, english, works } of statutory) {
    const open = works ? spansOf(hours.week, 0) : [];
    const after = works ? MAKE_UP : { zh: "", en: "" };
    set.set(date, { date, name: name + after.zh, english: english + after.en, open });
  }
  return [...set.values()].sort((one, other) => one.date.localeCompare(other.date));
}

const two = (number: number) => String(number).padStart(2, "0");
export const isoDate = (year: number, month: number, day: number) => `${year}-${two(month + 1)}-${two(day)}`;

/** A month as rows of a calendar, from Monday on: the day of the month, or 0 where the month has none. */
export function weeksOf(year: number, month: number): number[][] {
  const lead = (new Date(Date.UTC(year, month, 1)).getUTCDay() + 6) % 7;
  const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const cells = Array.from({ length: Math.ceil((lead + length) / 7) * 7 }, (_, place) => {
    const day = place - lead + 1;
    return day >= 1 && day <= length ? day : 0;
  });
  return Array.from({ length: cells.length / 7 }, (_, row) => cells.slice(row * 7, row * 7 + 7));
}
