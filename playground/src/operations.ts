// The ready operations: one for every query, mutation and subscription, from ../operations.
// Each file begins with a comment `# Area: what it does`; a .json beside it holds its variables.

const documents = import.meta.glob<string>("../operations/*.graphql", { query: "?raw", import: "default", eager: true });
const variables = import.meta.glob<string>("../operations/*.json", { query: "?raw", import: "default", eager: true });

export interface ReadyOperation {
  name: string;
  area: string;
  title: string;
  document: string;
  variables: string;
}

/** The areas, in the order in which a newcomer needs them; the sign-in box has seen to the last. */
export const AREAS = ["Catalog", "Charges", "Orders", "Wallets", "Events", "Identity"];

export const OPERATIONS: ReadyOperation[] = Object.entries(documents)
  .map(([path, document]) => {
    const [, area = "", title = ""] = /^#\s*(\w+):\s*(.+)/.exec(document) ?? [];
    const name = path.replace(/^.*\//, "").replace(/\.graphql$/, "");
    return { name, area, title: title.charAt(0).toUpperCase() + title.slice(1), document, variables: variables[path.replace(/graphql$/, "json")] ?? "" };
  })
  .sort((a, b) => AREAS.indexOf(a.area) - AREAS.indexOf(b.area) || a.title.localeCompare(b.title));

/** What the playground opens with. */
export const FIRST_OPERATION = OPERATIONS.find(({ name }) => name === "catalog-page") ?? OPERATIONS[0];
