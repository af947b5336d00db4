// Composes the subgraphs (*.graphql) of a folder into its supergraph.graphql. Arguments: the folder, and the address
// below which each subgraph is found by its name.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { composeServices } from "@apollo/composition";
import { parse } from "graphql";

const [folder, address] = process.argv.slice(2);
const services = readdirSync(folder)
  .filter((file) => file.endsWith(".graphql"))
  .map((file) => {
    const name = basename(file, ".graphql");
    return { name, url: `${address}/${name}`, typeDefs: parse(readFileSync(join(folder, file), "utf8")) };
  });
const { errors, supergraphSdl } = composeServices(services);
if (errors?.length) throw new AggregateError(errors, errors.map((error) => error.message).join("\n"));
writeFileSync(join(folder, "supergraph.graphql"), supergraphSdl);
