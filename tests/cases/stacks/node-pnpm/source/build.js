require("node:fs").writeFileSync("built.txt", "built\n");
