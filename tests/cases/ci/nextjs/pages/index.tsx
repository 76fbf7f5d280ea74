import { greeting } from "../lib/greeting.mjs";

export default function Home() {
  return <p>{greeting("world")}</p>;
}
