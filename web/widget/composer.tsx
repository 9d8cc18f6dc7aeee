import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Conversation, View } from "./conversation";
import { fetched } from "./fetched";
import { Icon } from "./icons";
import type { Say } from "./words";

/** What the gateway takes; the file chooser offers only that. */
const KINDS = "image/jpeg,image/png,image/webp,image/gif,application/pdf,audio/*,video/mp4,video/webm";
const MOST_LINES_PX = 160;

interface Props {
  conversation: Conversation;
  view: View;
  say: Say;
  box: RefObject<HTMLTextAreaElement>;
  draft: string;
  onDraft: (text: string) => void;
  onSent: () => void;
}

/** Where one writes. Enter sends, Shift+Enter breaks the line; an input method's Enter only chooses a word. */
export function Composer({ conversation, view, say, box, draft, onDraft, onSent }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  const note = useRef<HTMLDivElement>(null);
  const more = useRef<HTMLDivElement>(null);
  const isElsewhere = view.link === "elsewhere" || view.link === "refused";
  const isTooLong = draft.length > view.limits.text;
  const hint = say(view.state.phase === "ended" ? "write_new" : "write");
  const canSend = draft.trim() !== "" && !isTooLong && !isElsewhere;

  // Before the paint: a hint that needs two lines would move the page.
  useLayoutEffect(() => {
    const at = box.current;
    if (!at) return;
    at.style.height = "auto";
    at.style.height = `${Math.min(at.scrollHeight + 2, MOST_LINES_PX)}px`;
  }, [draft]);

  const send = () => {
    if (!canSend) return;
    conversation.write(draft.trim());
    onDraft("");
    onSent();
    box.current?.focus();
  };

  const attach = (files: FileList | null | undefined) => {
    for (const file of files ?? []) void conversation.attach(file);
    onSent();
  };

  const record = async () => {
    const part = await fetched<typeof import("./voice")>("/voice.js");
    if (note.current) part.showVoice(note.current, conversation);
  };

  const showMore = async () => {
    const part = await fetched<typeof import("./more")>("/more.js");
    // What is written by then, not what was when the panel was opened.
    const put = (text: string) => onDraft((box.current?.value ?? "") + text);
    if (more.current) part.showMore(more.current, conversation, put);
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        attach(event.dataTransfer?.files);
      }}
    >
      {isTooLong && (
        <p class="too-long" role="status">
          {say("too_long", { max: view.limits.text })}
        </p>
      )}
      <div ref={more} />
      <div ref={note} />
      <div class="composer-row">
        <button
          type="button"
          class="round"
          aria-label={say("attach")}
          title={say("attach")}
          disabled={isElsewhere}
          onClick={() => chooser.current?.click()}
        >
          <Icon name="attach" />
        </button>
        <button
          type="button"
          class="round voice-door"
          aria-label={say("voice")}
          title={say("voice")}
          disabled={isElsewhere}
          onClick={() => void record()}
        >
          <Icon name="microphone" />
        </button>
        <button type="button" class="round more-door" aria-label={say("more")} onClick={() => void showMore()}>
          <Icon name="more" />
        </button>
        <input
          ref={chooser}
          type="file"
          accept={KINDS}
          hidden
          onChange={(event) => {
            attach(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
        <textarea
          ref={box}
          rows={1}
          value={draft}
          placeholder={hint}
          aria-label={hint}
          disabled={isElsewhere}
          enterkeyhint="send"
          onInput={(event) => {
            onDraft(event.currentTarget.value);
            if (event.currentTarget.value.trim()) conversation.mentionTyping();
          }}
          onPaste={(event) => {
            if (event.clipboardData?.files.length) attach(event.clipboardData.files);
          }}
          onKeyDown={(event) => {
            // Safari says 229 where others say isComposing.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
            event.preventDefault();
            send();
          }}
        />
        <button type="submit" class="send" disabled={!canSend}>
          <Icon name="send" />
          <span>{say("send")}</span>
        </button>
      </div>
    </form>
  );
}
