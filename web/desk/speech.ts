import { useI18n } from "vue-i18n";
import { useRules } from "./stores/rules";

/** 五类: what is kept is Chinese whatever the desk speaks. */
export const SUBJECTS = ["咨询", "求助", "投诉", "举报", "建议"] as const;
const DAY_S = 24 * 3600;
const HANDS = {
  minute: { hour: "2-digit", minute: "2-digit", hour12: false },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false },
} as const;
/** Making one takes a millisecond, and each line of a timeline has a time. */
const faces = new Map<string, Intl.DateTimeFormat>();

function timeOf(at: number, hands: keyof typeof HANDS, tongue: string): string {
  const name = `${tongue} ${hands}`;
  const face = faces.get(name) ?? new Intl.DateTimeFormat(tongue, HANDS[hands]);
  faces.set(name, face);
  return face.format(at * 1000);
}

/** Words that are made of more than the dictionary: spans of time, masked citizens, names of channels. */
export function useSpeech() {
  const { t, te, locale } = useI18n();

  /** `3:07`, or `1:02:07`. */
  function span(seconds: number): string {
    const whole = Math.max(0, Math.floor(seconds));
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const tail = String(s).padStart(2, "0");
    return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
  }

  /** The gateway's label (`tel 138****8000`, `web 9f3c`) as an agent says it. */
  function citizen(label: string): string {
    const [scheme = "", name = ""] = label.split(" ", 2);
    if (scheme === "tel") return name;
    return name ? `${t("talk.citizen")} ${name}` : label || t("talk.citizen");
  }

  function channel(name: string): string {
    return te(`channel.${name}`, "zh") ? t(`channel.${name}`) : name;
  }

  /** What administrators have named: in English where they did so too. */
  function titled(one: { readonly title: string; readonly english: string }): string {
    return (locale.value === "en" && one.english) || one.title;
  }

  /** As administrators have called it; as the dictionary does while that is not known. */
  function queue(name: string): string {
    const named = useRules().titles.get(name);
    if (named) return titled(named);
    return te(`queues.${name}`, "zh") ? t(`queues.${name}`) : name;
  }

  /** What a notice was about: its template, as the house calls it. */
  function notice(template: string): string {
    return te(`notice.${template}`, "zh") ? t(`notice.${template}`) : template;
  }

  /** Of a figure, in the reader's words; `yihao figures` has it in the log's. */
  function formula(terms: string): string {
    const said = terms.replace(/\w+/g, (term) => (te(`wallboard.term.${term}`, "zh") ? t(`wallboard.term.${term}`) : term));
    return said.replace("/", "÷");
  }

  function reason(name: string): string {
    return te(`presence.reasons.${name}`, "zh") ? t(`presence.reasons.${name}`) : name;
  }

  function subject(name: string): string {
    const place = SUBJECTS.findIndex((one) => one === name);
    return place < 0 ? name : t(`wrap.kinds.${place}`);
  }

  const tongue = () => (locale.value === "en" ? "en-GB" : "zh-CN");

  /** `今天`, `昨天`, or the date; the year only where it is another. */
  function day(at: number, now: number): string {
    const date = new Date(at * 1000);
    const same = (other: number) => new Date(other * 1000).toDateString() === date.toDateString();
    if (same(now)) return t("history.today");
    if (same(now - DAY_S)) return t("history.yesterday");
    const isThisYear = date.getFullYear() === new Date(now * 1000).getFullYear();
    const year = isThisYear ? {} : ({ year: "numeric" } as const);
    return date.toLocaleDateString(tongue(), { ...year, month: "long", day: "numeric", weekday: "short" });
  }

  /** `14:07`. */
  const minute = (at: number): string => timeOf(at, "minute", tongue());
  /** `14:07:05`. */
  const clock = (at: number): string => timeOf(at, "clock", tongue());

  return { t, te, span, citizen, channel, titled, queue, notice, formula, reason, subject, day, minute, clock };
}
