import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { jwt } from 'better-auth/plugins';

// Users and keys last as long as this server: an app of your own names its database here.
const memory = globalThis as typeof globalThis & { db?: Record<string, unknown[]> };
memory.db ??= { user: [], session: [], account: [], verification: [], jwks: [] };

export const auth = betterAuth({
  baseURL: process.env.BETTER_AUTH_URL ?? 'http://localhost:3000',
  secret: process.env.BETTER_AUTH_SECRET ?? 'for development only: set BETTER_AUTH_SECRET',
  database: memoryAdapter(memory.db as Parameters<typeof memoryAdapter>[0]),
  emailAndPassword: { enabled: true },
  // Gives each user tokens, which causerie checks with the keys at /api/auth/jwks.
  plugins: [jwt()],
});
