import { createServer } from "node:http";

export function greeting(name: string): string {
  return `hello ${name}\n`;
}

export const server = createServer((_request, response) => {
  response.end(greeting("world"));
});

if (process.env.PORT) {
  server.listen(Number(process.env.PORT));
}
