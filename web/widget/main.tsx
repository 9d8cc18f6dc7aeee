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
import { fetched } from "./fetched";
import { Refusal } from "./refusal";
import { VISITOR } from "./visitor";

if (embedded) {
  document.documentElement.dataset["embedded"] = "";
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) tellHost("close");
  });
}

const root = document.getElementById("app");
void open();

async function open(): Promise<void> {
  const refusal = comesByLink ? fetched<typeof import("./refused")>("/refused.js") : null;
  const arrival: Arrival | null = comesByLink ? await arrive(lastingStore(), SCOPE + VISITOR) : null;
  if (!root) return;
  if (arrival && "refused" in arrival) {
    const { refused } = arrival;
    return render(<Refusal tell={(at) => void refusal?.then((part) => part.showRefused(at, refused))} />, root);
  }
  const conversation = new Conversation(comesByLink ? SCOPE : "yihao.");
  conversation.start();
  if (embedded)
    addEventListener("message", ({ data, source }) => {
      if (source === parent && data?.yihao === "identity")
        void fetched<typeof import("./identity")>("/identity.js").then((part) => part.identify(data.token, conversation));
    });
  render(<App conversation={conversation} asks={arrival?.purpose === "picture"} />, root);
}
