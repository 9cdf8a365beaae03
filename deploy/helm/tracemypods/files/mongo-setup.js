// Makes a MongoDB server a replica set of one, and its users what users.json says. Each step may have been
// done before.

const { REPLICA_SET, MEMBER, SECRETS } = process.env;
const TRIES = 60;

const read = (name) => fs.readFileSync(`${SECRETS}/${name}`, "utf8").trim();
const admin = db.getSiblingDB("admin");

if (SECRETS) admin.auth(read("root_username"), read("root_password"));

try {
  rs.status();
  print(`${REPLICA_SET}: there already`);
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: REPLICA_SET, members: [{ _id: 0, host: MEMBER }] });
  print(`${REPLICA_SET}: made, with ${MEMBER} alone in it`);
}

for (let tries = 0; !db.hello().isWritablePrimary; tries += 1) {
  if (tries === TRIES) throw new Error("the server does not become the primary one");
  sleep(1000);
}

if (SECRETS) {
  const { roles, users } = JSON.parse(read("users.json"));
  for (const { role, ...rest } of roles) {
    if (admin.getRole(role)) admin.updateRole(role, rest);
    else admin.createRole({ role, ...rest });
  }
  for (const { user, ...rest } of users) {
    if (admin.getUser(user)) admin.updateUser(user, rest);
    else admin.createUser({ user, ...rest });
    print(`${user}: may do what it should`);
  }
}
