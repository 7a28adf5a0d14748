// PostGraphile over the same tables, with row-level security by pgSettings (../peers/tenant.sql):
// the user from the token, the organisation from a header.
import { createServer } from "node:http";

import jwt from "jsonwebtoken";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const { BENCH_DATABASE_URL, BENCH_JWT_SECRET, BENCH_POOL_SIZE, BENCH_PORT } = process.env;

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  // It would hide orders and filters that no index starts with; ours start with the organisation.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString: BENCH_DATABASE_URL,
      schemas: ["app"],
      poolConfig: { min: Number(BENCH_POOL_SIZE), max: Number(BENCH_POOL_SIZE) },
    }),
  ],
  grafserv: { graphiql: false, watch: false },
  grafast: {
    explain: false,
    context({ node }) {
      const { authorization = "", "x-organisation": organisation = "" } = node.req.headers;
      const claims = jwt.verify(authorization.slice("Bearer ".length), BENCH_JWT_SECRET, {
        algorithms: ["HS256"],
      });
      return { pgSettings: { "app.user_id": claims.sub, "app.tenant_id": organisation } };
    },
  },
});

const server = createServer();
await pgl.createServ(grafserv).addTo(server);
server.listen(Number(BENCH_PORT), "127.0.0.1");
