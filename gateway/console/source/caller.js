/**
 * Who asks, and about which company, as the fragment of a link says:
 * `#token=...&purpose=...&consent=...&code=...`, each of them optional and percent-encoded.
 *
 * A browser sends no fragment to any server. Returns the texts of the headers editor and of the variables editor; what
 * the fragment does not say stands in the headers as a comment to fill in.
 */
export function readCaller(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const token = given.get("token");
  const headers = [
    headerLine("Authorization", token && `Bearer ${token}`, "Bearer <token>"),
    headerLine("X-Purpose", given.get("purpose"), "credit.underwriting"),
    headerLine("X-Consent", given.get("consent"), "<consent>"),
  ];
  return {
    headers: `{\n${headers.join("\n")}\n}`,
    variables: JSON.stringify({ code: given.get("code") ?? EXAMPLE_CODE }, null, 2),
  };
}

// A lawful credit code, so that the first query is answered whatever the link.
const EXAMPLE_CODE = "91350100M000100Y43";

function headerLine(name, value, example) {
  const line = `${JSON.stringify(name)}: ${JSON.stringify(value || example)},`;
  return value ? `  ${line}` : `  // ${line}`;
}
