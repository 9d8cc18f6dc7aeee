import { useEffect, useRef, useState } from "preact/hooks";
import type { Conversation, View } from "./conversation";
import { Icon } from "./icons";
import { type Say, called } from "./words";

/** Under this, a wait is "in a moment": an estimate in seconds would only seem exact. */
const MOMENT_S = 45;

interface Props {
  view: View;
  say: Say;
  conversation: Conversation;
  onCall: (() => void) | null;
}

/** Who answers, how long one waits, and what one can ask for: a call, a person, or the end. */
export function Standing({ view, say, conversation, onCall }: Props) {
  const { phase, assignee } = view.state;
  const isOpen = phase !== "new" && phase !== "ended";
  return (
    <section class={`standing standing-${phase}`} aria-live="polite">
      <div class="standing-who">
        <span class="lamp" aria-hidden="true" />
        <span class="standing-words">
          <strong>
            {assignee && phase === "talking"
              ? say("phase_talking", { name: called(assignee.name, say) })
              : say(view.state.transferred ? "phase_handed_on" : `phase_${phase}`)}
          </strong>
          {assignee && isOpen && <span class={`tag tag-${assignee.kind}`}>{say(assignee.kind)}</span>}
          {phase === "waiting" && <Place view={view} say={say} />}
        </span>
      </div>
      <div class="standing-acts">
        {onCall && (
          <button type="button" class="act call-door" onClick={onCall}>
            <Icon name="phone" />
            {say("call")}
          </button>
        )}
        {phase === "with_bot" && (
          <button type="button" class="act" disabled={view.humanAsked} onClick={() => conversation.askForHuman()}>
            <Icon name="person" />
            {say(view.humanAsked ? "human_asked" : "human")}
          </button>
        )}
        {isOpen && <EndButton say={say} onEnd={() => conversation.end()} />}
      </div>
    </section>
  );
}

function Place({ view, say }: { view: View; say: Say }) {
  if (!view.place) return null;
  const { position, estimate_s } = view.place;
  const minutes = estimate_s === null ? 0 : Math.ceil(estimate_s / 60);
  const estimate =
    estimate_s === null ? "" : estimate_s < MOMENT_S ? say("estimate_now") : say("estimate_minutes", { minutes });
  return (
    <span class="place">
      <span class="place-line">
        {position <= 1 ? say("place_next") : say("place", { ahead: position - 1 })}
        {estimate && position > 1 && <span class="estimate">{estimate}</span>}
      </span>
      <small>{say("keep_open")}</small>
    </span>
  );
}

function EndButton({ say, onEnd }: { say: Say; onEnd: () => void }) {
  const [asks, setAsks] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const at = dialog.current;
    if (!at || !asks) return;
    if (at.showModal) at.showModal();
    else at.setAttribute("open", "");
  }, [asks]);
  const close = () => {
    dialog.current?.close?.();
    setAsks(false);
  };
  return (
    <>
      <button type="button" class="act act-quiet" onClick={() => setAsks(true)}>
        {say("end")}
      </button>
      {asks && (
        <dialog
          ref={dialog}
          class="sure"
          aria-label={say("end_sure")}
          onCancel={() => setAsks(false)}
          onKeyDown={(event) => event.key === "Escape" && event.preventDefault() === undefined && close()}
        >
          <p>{say("end_sure")}</p>
          <div class="sure-acts">
            <button type="button" class="act act-quiet" onClick={close}>
              {say("end_no")}
            </button>
            <button
              type="button"
              class="act act-main"
              onClick={() => {
                close();
                onEnd();
              }}
            >
              {say("end_yes")}
            </button>
          </div>
        </dialog>
      )}
    </>
  );
}

/** A cut that mends itself within this time is not worth alarming anybody. */
const QUIET_MS = 1_200;

/** Nothing while all is well; else what is wrong, and what to do. */
export function LinkBanner({ view, say, onUseHere }: { view: View; say: Say; onUseHere: () => void }) {
  const { link } = view;
  const [isLate, setLate] = useState(false);
  const isTrying = link === "connecting" || link === "waiting";
  useEffect(() => {
    setLate(false);
    if (!isTrying) return;
    const timer = setTimeout(() => setLate(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [isTrying]);
  if (link === "open" || link === "closed" || (isTrying && !isLate)) return null;
  return (
    <div class={`link link-${link}`} role="status">
      <Icon name="alert" />
      <span>{say(isTrying && view.known ? "link_waiting" : `link_${link}`)}</span>
      {link === "elsewhere" && (
        <button type="button" class="act" onClick={onUseHere}>
          {say("use_here")}
        </button>
      )}
    </div>
  );
}
