// Runs the audits of graphql-http against the server at a URL, and writes the results as one line of JSON.
import { serverAudits } from 'graphql-http';

const results = [];
for (const audit of serverAudits({ url: process.argv[2] })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason: reason ?? '' });
}
console.log(JSON.stringify(results));
