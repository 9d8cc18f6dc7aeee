import { useEffect, useRef, useState } from "preact/hooks";
import type { View } from "./conversation";
import { Icon } from "./icons";
import type { Say } from "./words";

const SCORES = [1, 2, 3, 4, 5] as const;
type Score = (typeof SCORES)[number];

/** 评价: one to five stars for who answered; whether it is solved, and a word, if one likes. */
export function Rating({ view, say, onRate }: { view: View; say: Say; onRate: (score: number, solved: boolean | null, comment: string) => void }) {
  const [score, setScore] = useState<Score | null>(null);
  const [solved, setSolved] = useState<boolean | null>(null);
  const [comment, setComment] = useState("");
  const form = useRef<HTMLFormElement>(null);
  // It grows with the first star: what has come must be seen.
  useEffect(() => form.current?.scrollIntoView({ block: "nearest" }), [score === null]);
  if (view.rated) {
    return (
      <p class="rating rating-done" role="status">
        {say("rate_thanks")}
      </p>
    );
  }
  if (!view.state.may_rate) return null;
  return (
    <form
      ref={form}
      class="rating"
      onSubmit={(event) => {
        event.preventDefault();
        if (score) onRate(score, solved, comment.trim());
      }}
    >
      <fieldset>
        <legend>{say("rate_title")}</legend>
        <div class="stars">
          {SCORES.map((value) => (
            <label key={value} class={score !== null && value <= score ? "star lit" : "star"} title={say(`rate_${value}`)}>
              <input
                type="radio"
                name="score"
                value={value}
                checked={score === value}
                aria-label={say(`rate_${value}`)}
                onChange={() => setScore(value)}
              />
              <Icon name="star" />
            </label>
          ))}
        </div>
        <p class="stars-word" aria-hidden="true">
          {score ? say(`rate_${score}`) : "\u00a0"}
        </p>
      </fieldset>
      {score !== null && (
        <>
          <fieldset>
            <legend>{say("rate_result")}</legend>
            {[true, false].map((is) => (
              <label key={is} class="act">
                <input type="radio" name="solved" checked={solved === is} onChange={() => setSolved(is)} />
                {say(`rate_solved_${is}`)}
              </label>
            ))}
          </fieldset>
          <textarea
            rows={2}
            maxLength={500}
            placeholder={say("rate_comment")}
            aria-label={say("rate_comment")}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
          <button type="submit" class="act act-main">
            {say("rate_send")}
          </button>
        </>
      )}
    </form>
  );
}
