import { createPinia } from "pinia";
import { createApp } from "vue";
import "element-plus/theme-chalk/base.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "@shared/tokens.css";
import "./dark.css";
import "./desk.css";
import App from "./App.vue";
import { router } from "./router";
import { i18n } from "./words";

createApp(App).use(createPinia()).use(router).use(i18n).mount("#app");
