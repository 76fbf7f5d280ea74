const http = require("node:http");
const ms = require("ms");

http
  .createServer((_, response) => response.end(`hello from node, ${ms("2 days")} ms\n`))
  .listen(process.env.PORT);
process.on("SIGTERM", () => process.exit(0));
