// Messages over a socket: 4 bytes of length, then the message as node:v8 writes it.
import { deserialize, serialize } from 'node:v8';

export function send(socket, message) {
  const body = serialize(message);
  const head = Buffer.allocUnsafe(4);
  head.writeUInt32LE(body.length);
  socket.cork();
  socket.write(head);
  socket.write(body);
  socket.uncork();
}

/** Calls `take` with each whole message; one that a dying peer has begun is dropped. */
export function onMessage(socket, take) {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE()) {
      const end = 4 + rest.readUInt32LE();
      take(deserialize(rest.subarray(4, end)));
      rest = rest.subarray(end);
    }
  });
}
