// Answers queries of one DuckDB file. A line of standard input is a query as a JSON string; a line of standard output is its
// rows of numbers and the milliseconds that it took. The process ends when standard input closes.
import { createInterface } from 'node:readline';
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(process.argv[2], { threads: '2', memory_limit: '6GB' });
const connection = await instance.connect();

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const query = JSON.parse(line);
    const start = performance.now();
    const reader = await connection.runAndReadAll(query);
    const ms = performance.now() - start;
    answer = { ms, rows: reader.columnCount === 2 ? reader.getRows().map((row) => row.map(Number)) : [] };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
connection.closeSync();
instance.closeSync();
