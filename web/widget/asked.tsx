import { useRef } from "preact/hooks";
import type { Conversation, View } from "./conversation";
import type { Say } from "./words";

interface Props {
  conversation: Conversation;
  view: View;
  say: Say;
}

/** What a caller was asked for: pictures, and where it is. Two large buttons, since they hold the telephone besides. */
export function Asked({ conversation, view, say }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <section class="asked" aria-label={say("asked_title")}>
      <p>{say("asked_title")}</p>
      <div class="asked-acts">
        <button type="button" class="act act-main" onClick={() => chooser.current?.click()}>
          {say("asked_picture")}
        </button>
        <button type="button" class="act act-main" disabled={view.locating} onClick={() => void conversation.sendLocation()}>
          {say(view.locating ? "asked_locating" : "asked_location")}
        </button>
      </div>
      <input
        ref={chooser}
        id="asked-pictures"
        type="file"
        accept="image/*"
        multiple
        hidden
        onChange={(event) => {
          for (const file of event.currentTarget.files ?? []) void conversation.attach(file);
          event.currentTarget.value = "";
        }}
      />
    </section>
  );
}
