// Answers are read the way clients read them: graphql-js judges documents beside the server.
// usage: node parser.mjs http://127.0.0.1:PORT/graphql SCHEMA_FILE  < documents, one JSON string a line
// Exits 0 if the server and graphql-js agree about every document; else prints where they differ.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { buildSchema, parse, validate } from 'graphql';

const [url, schemaFile] = process.argv.slice(2);
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));

function verdict(query) {
  let document;
  try {
    document = parse(query);
  } catch {
    return 'GRAPHQL_PARSE_FAILED';
  }
  try {
    return validate(schema, document).length > 0 ? 'GRAPHQL_VALIDATION_FAILED' : 'valid';
  } catch {
    // One rule throws for a condition on a subscription's root field, which the specification forbids.
    return 'GRAPHQL_VALIDATION_FAILED';
  }
}

let agreed = 0;
let differed = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const query = JSON.parse(line);
  const theirs = verdict(query);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query }),
  });
  const code = (await response.json()).errors?.[0]?.extensions?.code;
  // A valid document is executed, or refused for want of a token or of variables.
  const ours = code?.startsWith('GRAPHQL_') ? code : 'valid';
  if (ours === theirs) {
    agreed += 1;
  } else {
    differed += 1;
    console.log(`${query}\n  graphql-js: ${theirs}\n  server: ${ours} ${code ?? ''}`);
  }
}
console.log(`${agreed} passed, ${differed} failed`);
process.exit(differed === 0 && agreed > 0 ? 0 : 1);
