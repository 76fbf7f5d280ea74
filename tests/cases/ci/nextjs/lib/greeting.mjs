/** @param {string} name */
export function greeting(name) {
  return `hello ${name}`;
}
