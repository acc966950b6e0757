// What a person does in the playground, done by headless Chromium: sign in, browse, order, watch, sign out.
//
//   node playground.mjs <url> <username> <password> [folder for pictures]
//
// Fails, naming the step, when anything does not appear; when the page logs an error; or when it asks for anything from
// elsewhere (all outside addresses are blocked, and each attempt is counted).

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, username, password, pictures] = process.argv.slice(2);
const PATIENCE_MS = 30_000;
const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Nothing but this machine has an address.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

const profile = await mkdtemp(join(tmpdir(), "octopus-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: EXECUTABLE,
  args: FLAGS,
  viewport: { width: 1440, height: 900 },
});
let doing = "open the page";
try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  const { outside, errors } = await guard(page);

  await page.goto(url);
  await visible(page.locator(".graphiql-query-editor .view-line").first());

  doing = "be refused with a wrong password";
  await signIn(page, "not-the-password");
  await visible(page.locator("dialog [role=alert]"));
  doing = "sign in by keyboard alone";
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await visible(page.getByRole("button", { name: "Sign out" }));

  doing = "run the catalog query that the page opens with";
  // Not by a click on a line: that scrolls the editor to the middle of the longest one.
  await page.locator(".graphiql-query-editor").getByRole("textbox").first().focus();
  await page.keyboard.press("Control+Enter");
  await answer(page, /"unitPrice": \{/);
  await picture(page, "playground-catalog.png");

  doing = "begin to watch orders";
  await panel(page, "live orders");
  await visible(page.getByText("Watching."));

  doing = "buy one unit and read its code";
  await operation(page, "order-one-unit");
  await answer(page, /"code": "[^"]+"/);
  const reference = await variable(page, "reference");

  doing = "watch that order until its end";
  await operation(page, "order-status");
  await answer(page, /"status": "DELIVERED"/);

  doing = "see it among the live orders, beside its events";
  await panel(page, "live orders");
  const order = page.locator(`li[data-reference="${reference}"]`);
  await visible(order.getByText("DELIVERED", { exact: true }));
  await visible(order.getByText("1 of 1 delivered"));
  await picture(page, "playground-subscription.png");

  doing = "buy many units";
  await operation(page, "order-in-bulk");
  await answer(page, /"quantity": 100/);

  doing = "see both orders among the live orders";
  await panel(page, "live orders");
  await visible(page.getByText("1 of 1 delivered"));
  await visible(page.getByText("100 of 100 delivered"));

  doing = "read the documentation";
  await panel(page, "Documentation Explorer");
  await visible(page.getByText("Subscription", { exact: true }).first());
  doing = "use the explorer";
  await panel(page, "GraphiQL Explorer");
  await visible(page.locator(".docExplorerWrap, .graphiql-explorer-root").first());

  doing = "stay signed in over a reload";
  await page.reload();
  await visible(page.getByRole("button", { name: "Sign out" }));

  doing = "fit on a phone";
  await page.setViewportSize({ width: 390, height: 844 });
  await visible(page.getByRole("button", { name: /Execute query/ }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) throw new Error(`the page is ${overflow} pixels wider than the screen`);

  doing = "sign out";
  await page.getByRole("button", { name: "Sign out" }).click();
  await visible(page.getByRole("button", { name: "Sign in", exact: true }));
  const kept = await page.evaluate(() => Object.keys(localStorage).concat(sessionStorage.getItem("octopus-session") ?? []));
  if (kept.length > 0) throw new Error(`the browser keeps ${kept}`);

  doing = "load nothing from elsewhere, and log no error";
  if (outside.length > 0) throw new Error(`asked for ${outside.join(", ")}`);
  if (errors.length > 0) throw new Error(`logged ${errors.join("; ")}`);
  console.log("the playground works");
} catch (failure) {
  console.error(`could not ${doing}: ${failure.message}`);
  const pages = context.pages();
  if (process.env.FAILURE_SCREENSHOT) await pages[0]?.screenshot({ path: process.env.FAILURE_SCREENSHOT });
  process.exitCode = 1;
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}

/** Blocks and counts requests to anywhere else, sockets included, and collects what the page complains about. */
async function guard(page) {
  const outside = [];
  const errors = [];
  const home = new URL(url).host;
  await page.route("**/*", (route) => {
    const target = new URL(route.request().url());
    if (target.host === home || target.protocol === "data:" || target.protocol === "blob:") return route.continue();
    outside.push(target.href);
    return route.abort();
  });
  page.on("websocket", (socket) => new URL(socket.url()).host === home || outside.push(socket.url()));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  return { outside, errors };
}

async function signIn(page, secret) {
  await page.getByRole("button", { name: "Sign in", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(secret);
  await page.keyboard.press("Enter");
}

/** Shows a panel of GraphiQL, unless it is shown already. */
async function panel(page, title) {
  const toggle = page.getByRole("button", { name: new RegExp(`^(Show|Hide) ${title}$`) });
  if ((await toggle.getAttribute("aria-label")).startsWith("Show")) await toggle.click();
}

/** Opens a ready operation in a tab of its own and runs it. */
async function operation(page, name) {
  await panel(page, "ready operations");
  await page.locator(`[data-operation="${name}"]`).click();
  await page.keyboard.press("Control+Enter");
}

/** Waits until the answer reads like this. Monaco draws no-break spaces, breaks long lines, and draws those in view only. */
async function answer(page, pattern) {
  await page.waitForFunction(
    ([source]) => {
      const lines = [...document.querySelectorAll(".graphiql-response .view-line")].map((line) => line.textContent);
      return new RegExp(source).test(lines.join(" ").replace(/\s+/g, " "));
    },
    [pattern.source],
  );
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, name) });
}

/** The value of a variable as the variables editor shows it. */
async function variable(page, name) {
  const text = await page.locator(".graphiql-editor-tool .view-lines").first().textContent();
  const [, value] = new RegExp(`"${name}":\\s*"([^"]+)"`).exec(text.replaceAll("\u00a0", " ")) ?? [];
  if (!value) throw new Error(`no variable ${name} in ${text}`);
  return value;
}

async function visible(locator) {
  await locator.waitFor({ state: "visible" });
}
