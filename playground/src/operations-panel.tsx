// The menu of ready operations, as a panel of GraphiQL: a choice opens in a tab of its own, filled in and ready to run.

import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from "@graphiql/react";
import { getOperationAST, parse } from "graphql";
import { useState } from "react";
import { ListIcon } from "./icons";
import { AREAS, OPERATIONS, type ReadyOperation } from "./operations";
import { fill } from "./remembered";

function OperationsPanel() {
  const { addTab, setOperationFacts, setOperationName, stop } = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const [words, setWords] = useState("");

  const open = (operation: ReadyOperation) => {
    // A subscription that still runs would answer into the new tab.
    stop();
    if (queryEditor?.getValue().trim()) addTab();
    queryEditor?.setValue(operation.document);
    queryEditor?.setScrollPosition({ scrollLeft: 0, scrollTop: 0 });
    variableEditor?.setValue(fill(operation.variables));
    // GraphiQL reads an edited document after a pause; whoever runs this one at once must not run it under the last one's name.
    const documentAST = parse(operation.document);
    const definition = getOperationAST(documentAST);
    if (definition?.name) {
      setOperationName(definition.name.value);
      setOperationFacts({ documentAST, operationName: definition.name.value, operations: [definition] });
    }
    queryEditor?.focus();
  };
  const wanted = words.toLowerCase();
  const matches = OPERATIONS.filter(({ area, title, name }) => `${area} ${title} ${name}`.toLowerCase().includes(wanted));

  return (
    <section className="panel" aria-label="Ready operations">
      <h2>Ready operations</h2>
      <input
        type="search"
        placeholder="Find an operation"
        aria-label="Find an operation"
        value={words}
        onChange={(event) => setWords(event.target.value)}
      />
      {AREAS.map((area) => {
        const operations = matches.filter((operation) => operation.area === area);
        return operations.length === 0 ? null : (
          <div key={area}>
            <h3>{area}</h3>
            <ul>
              {operations.map((operation) => (
                <li key={operation.name}>
                  <button type="button" data-operation={operation.name} onClick={() => open(operation)}>
                    {operation.title}
                  </button>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
      {matches.length === 0 && <p role="status">Nothing matches.</p>}
    </section>
  );
}

export const operationsPlugin: GraphiQLPlugin = { title: "ready operations", icon: ListIcon, content: OperationsPanel };
