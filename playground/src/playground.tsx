// The page: a header with the sign-in box, and GraphiQL with its panels below.

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { fetcher } from "./endpoint";
import { OctopusIcon } from "./icons";
import { liveOrdersPlugin } from "./live-orders-panel";
import { FIRST_OPERATION } from "./operations";
import { operationsPlugin } from "./operations-panel";
import { fill } from "./remembered";
import { SessionBox } from "./session-box";

const PLUGINS = [operationsPlugin, liveOrdersPlugin, explorerPlugin({ showAttribution: false }), HISTORY_PLUGIN];
const DEFAULT_QUERY = "# Write an operation here, or choose one from the ready operations at the left.\n";
/** Variables may hold secrets, so tabs and history are kept for this browser tab alone. */
const STORAGE = window.sessionStorage;
/** What a newcomer finds; whoever comes back finds the tabs that were left. */
const FIRST_VISIT =
  STORAGE.getItem("graphiql:tabState") === null
    ? {
        initialQuery: FIRST_OPERATION?.document,
        initialVariables: fill(FIRST_OPERATION?.variables ?? ""),
        visiblePlugin: operationsPlugin,
      }
    : {};

export function Playground() {
  return (
    <>
      <header>
        <OctopusIcon />
        <h1>Octopus Cards</h1>
        <nav aria-label="Documents">
          <a href="/openapi.json">OpenAPI</a>
        </nav>
        <SessionBox />
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          plugins={PLUGINS}
          {...FIRST_VISIT}
          defaultQuery={DEFAULT_QUERY}
          defaultEditorToolsVisibility="variables"
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
          storage={STORAGE}
        >
          <GraphiQL.Logo> </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}
