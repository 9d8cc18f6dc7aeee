import { render } from "preact";
import "@shared/tokens.css";
import "./page.css";
import "./chat.css";
import "./composer.css";
import "./questions.css";
import { lastingStore } from "@shared/outbox";
import { App } from "./app";
import { type Arrival, SCOPE, arrive, comesByLink } from "./arrival";
import { Conversation } from "./conversation";
import { embedded, tellHost } from "./host";
import { Refusal } from "./refusal";
import { VISITOR } from "./visitor";

if (embedded) {
  document.documentElement.dataset["embedded"] = "";
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) tellHost("close");
  });
}

type IdentityPart = typeof import("./identity");
/** A name that the build does not follow, like that of `proof.js`. */
const IDENTITY = "/identity.js";

const root = document.getElementById("app");
void open();

async function open(): Promise<void> {
  const arrival: Arrival | null = comesByLink ? await arrive(lastingStore(), SCOPE + VISITOR) : null;
  if (!root) return;
  if (arrival && "refused" in arrival) return render(<Refusal why={arrival.refused} />, root);
  const conversation = new Conversation(comesByLink ? SCOPE : "yihao.");
  conversation.start();
  if (embedded)
    addEventListener("message", ({ data, source }) => {
      if (source === parent && data?.yihao === "identity")
        void (import(/* @vite-ignore */ IDENTITY) as Promise<IdentityPart>).then((part) => part.identify(data.token, conversation));
    });
  render(<App conversation={conversation} asks={arrival?.purpose === "picture"} />, root);
}
