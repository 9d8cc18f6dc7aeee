import { Emblem } from "./app";
import { speaker } from "./words";

/** The page of a link that opens nothing; `tell` says there what that means. */
export function Refusal({ tell }: { tell: (at: HTMLElement) => void }) {
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
      <main class="refusal">
        <div role="alert" ref={(at) => (at ? tell(at) : undefined)} />
        <a class="number" href="tel:12345">
          12345
        </a>
      </main>
    </div>
  );
}
