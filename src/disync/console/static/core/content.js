// The Content of a data source, by type: what is asked for, and the vendor's JSON that it becomes.

const url = (scheme, { host, port, database }) => `jdbc:${scheme}://${host}:${port}/${database}`;

/** Type → fields ([key, default], a `secret` among them is typed unseen) and what they make. */
export const TYPES = {
  mysql: database('mysql', '3306'),
  holo: database('postgresql', '80'),
  postgresql: database('postgresql', '5432'),
  datahub: {
    fields: [['endpoint', 'http://127.0.0.1:8081'], ['project', ''], ['accessId', ''], ['accessKey', '']],
    secret: 'accessKey',
    content: (values) => ({ ...values, tag: 'public' }),
  },
};

function database(scheme, port) {
  return {
    fields: [['host', '127.0.0.1'], ['port', port], ['database', ''], ['username', ''], ['password', '']],
    secret: 'password',
    content: ({ username, password, ...place }) => ({ jdbcUrl: url(scheme, place), username, password, tag: 'public' }),
  };
}
