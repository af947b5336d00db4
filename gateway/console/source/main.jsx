import "./style.css";
import "./workers.js";

import { useMonaco } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";

import { readCaller } from "./caller.js";
import { createFetcher } from "./fetcher.js";
import firstQuery from "./first-query.graphql?raw";

function Console({ fetcher, caller }) {
  const { initialize } = useMonaco((state) => state.actions);
  const ready = useMonaco((state) => Boolean(state.monaco));
  useEffect(() => {
    initialize();
  }, [initialize]);
  // GraphiQL reads the schema as soon as it stands. Without its editors it would not have the headers yet, and would
  // ask for the schema of somebody without a token.
  if (!ready) {
    return "Loading the console…";
  }
  return (
    <GraphiQL
      fetcher={fetcher}
      initialQuery={firstQuery}
      initialVariables={caller.variables}
      defaultHeaders={caller.headers}
      defaultEditorToolsVisibility="headers"
      // Nothing is kept in the browser: headers hold tokens, and queries and variables say whom somebody asked about.
      // GraphiQL's history would keep the headers too.
      storage={null}
      plugins={[]}
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>信桥 Xinqiao</GraphiQL.Logo>
      <GraphiQL.Footer>
        <p>
          You ask as the <b>Headers</b> say; without a token, as anonymous. Nothing is kept in this browser: a reload
          starts afresh, and anonymous.
        </p>
      </GraphiQL.Footer>
    </GraphiQL>
  );
}

const caller = readCaller(location.hash);
// A token must not stay in the address bar, the history, or a copied link.
history.replaceState(null, "", location.pathname + location.search);
// Another link to this page changes the fragment only, which loads nothing.
addEventListener("hashchange", () => location.reload());

const endpoint = document.querySelector('meta[name="graphql-endpoint"]').content;
createRoot(document.getElementById("console")).render(<Console fetcher={createFetcher(endpoint)} caller={caller} />);
