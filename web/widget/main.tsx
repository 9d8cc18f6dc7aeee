import { render } from "preact";
import "@shared/tokens.css";
import "./page.css";
import "./chat.css";
import "./composer.css";
import "./questions.css";
import { App } from "./app";
import { Conversation } from "./conversation";
import { embedded, tellHost } from "./host";

const conversation = new Conversation();
conversation.start();

if (embedded) {
  document.documentElement.dataset["embedded"] = "";
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) tellHost("close");
  });
}

const root = document.getElementById("app");
if (root) render(<App conversation={conversation} />, root);
