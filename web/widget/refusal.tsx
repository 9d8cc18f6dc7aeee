import { Emblem } from "./app";
import { type Word, speaker } from "./words";

/** A link that opens nothing: what that means, and what to do. Both languages, since nobody has chosen one yet. */
export function Refusal({ why }: { why: Word }) {
  return (
    <div class="page">
      <header class="band">
        <div class="band-inner">
          <Emblem />
          <div class="band-words">
            <h1>{speaker("zh")("title")}</h1>
          </div>
        </div>
      </header>
      <main class="refusal" role="alert">
        {(["zh", "en"] as const).map((language) => {
          const say = speaker(language);
          return (
            <section key={language} lang={language === "zh" ? "zh-CN" : "en"}>
              <h2>{say(why)}</h2>
              <p>{say("go_kept")}</p>
            </section>
          );
        })}
        <a class="number" href="tel:12345">
          12345
        </a>
      </main>
    </div>
  );
}
