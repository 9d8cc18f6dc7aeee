/**
 * `<script src="https://…/widget.js" async></script>` puts a button into the corner of any page, which opens the chat.
 *
 * It brings no style sheet and no script of its own into that page beyond this file: the chat stands in a frame, loaded
 * at the first click. `data-language="en"` chooses the language, `data-label` the button's words; `data-identity`, or
 * `Yihao.identify(token)`, says who the visitor is (docs/signed-identity.md), and the event `yihao:identity` what came of it.
 */
const zh = { label: "12345 在线咨询" };
const en: typeof zh = { label: "12345 Chat" };

const script = document.currentScript as HTMLScriptElement;
const origin = new URL(script.src).origin;
const { language = "zh", label = (language === "en" ? en : zh).label } = script.dataset;
const mobile = matchMedia("(max-width: 480px)");

let frame: HTMLIFrameElement | undefined;
let { identity } = script.dataset;
let loaded = false;

// Styles are set one by one: a host page whose policy forbids inline style sheets still allows that.
const button = document.createElement("button");
button.type = "button";
button.textContent = label;
button.setAttribute("aria-expanded", "false");
Object.assign(button.style, {
  position: "fixed",
  right: "20px",
  bottom: "20px",
  zIndex: "2147483000",
  minHeight: "56px",
  padding: "0 24px",
  border: "0",
  borderRadius: "28px",
  background: "#0b57a4",
  color: "#fff",
  font: "600 18px/1.2 system-ui,sans-serif",
  boxShadow: "0 6px 24px #08305a59",
  cursor: "pointer",
});
button.onclick = () => show(true);
if (document.body) appear();
else addEventListener("DOMContentLoaded", appear);

addEventListener("message", ({ data, source }) => {
  if (!frame || source !== frame.contentWindow || !data) return;
  if (data.yihao === "close") show(false);
  if (data.yihao === "ring") show(true);
  if (data.yihao === "identity") dispatchEvent(new CustomEvent("yihao:identity", { detail: data.error }));
  if (data.yihao === "unread") button.textContent = data.count ? `${label} (${data.count})` : label;
});

/** Where the tag stands in the head, the page may have no body yet. */
function appear(): void {
  document.body.append(button);
}

function show(isOpen: boolean): void {
  frame ??= open();
  const size = mobile.matches ? ["0", "0", "100%", "100%", "0"] : ["20px", "20px", "400px", "min(680px,calc(100% - 40px))", "16px"];
  const [right, bottom, width, height, borderRadius] = size;
  Object.assign(frame.style, { right, bottom, width, height, borderRadius, display: isOpen ? "block" : "none" });
  button.style.display = isOpen ? "none" : "block";
  button.setAttribute("aria-expanded", String(isOpen));
  (isOpen ? frame : button).focus();
}

function open(): HTMLIFrameElement {
  const made = document.createElement("iframe");
  made.src = `${origin}/?lang=${language}`;
  made.title = label;
  made.allow = "microphone; geolocation; clipboard-write";
  made.onload = () => {
    loaded = true;
    tell();
  };
  Object.assign(made.style, {
    position: "fixed",
    zIndex: "2147483001",
    border: "0",
    background: "#fff",
    boxShadow: "0 8px 40px #08305a59",
  });
  document.body.append(made);
  return made;
}

/** What the site has signed; an empty text when its visitor has logged out. */
export function identify(token: string): void {
  identity = token;
  if (loaded) tell();
}

/** Also after the frame has loaded itself anew, as it does for another visitor. */
function tell(): void {
  if (identity === undefined) return;
  frame?.contentWindow?.postMessage({ yihao: "identity", token: identity }, origin);
  identity ||= undefined;
}
