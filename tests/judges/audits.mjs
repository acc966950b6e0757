// GraphQL over HTTP, judged by the audits of the npm package graphql-http.
// usage: node audits.mjs http://127.0.0.1:PORT/graphql
// Prints one line an audit, then "N passed, N failed"; exits 0 only if every audit passed, the SHOULDs and MAYs too.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
let passed = 0;
let failed = 0;
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const result = await audit.fn();
  if (result.status === 'ok') {
    passed += 1;
  } else {
    failed += 1;
    const status = result.response?.status;
    console.log(`${result.status} ${audit.id} ${audit.name}: ${result.reason ?? ''} (HTTP ${status})`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
