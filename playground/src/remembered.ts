// What the last answers named, so that the next ready operation can speak of it: the order just placed, the charge just made.
// A ready operation writes {{orderId}} where that goes. Nothing remembered here is secret, or leaves memory.

/** Placeholders and the prefix of the ids that fill them. */
const PREFIXES: Record<string, string> = { chg_: "chargeId", crd_: "credentialId", ord_: "orderId" };

const remembered = new Map<string, string>();

/** Looks through an answer for ids and cursors that placeholders may want. */
export function remember(value: unknown, key = ""): void {
  if (Array.isArray(value)) value.forEach((item) => remember(item, key));
  else if (value && typeof value === "object") Object.entries(value).forEach(([key, item]) => remember(item, key));
  else if (typeof value === "string") {
    const placeholder = PREFIXES[value.slice(0, 4)];
    if (placeholder) remembered.set(placeholder, value);
    else if (key === "cursor") remembered.set("cursor", value);
  }
}

/** Fills the placeholders of a ready operation's variables; {{unique}} is new each time, and what is unknown stays to be typed over. */
export function fill(text: string): string {
  const unique = Date.now().toString(36);
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => (name === "unique" ? unique : (remembered.get(name) ?? whole)));
}
