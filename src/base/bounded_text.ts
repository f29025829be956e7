/**
 * Text of somebody else's making, of a limited size.
 *
 * @module
 */

/**
 * Reads a body to its end, in UTF-8.
 *
 * @param body Null for none.
 * @param sizeMax In bytes.
 * @throws {RangeError} If it is larger; the rest of it is not read.
 * @throws {TypeError} If it is no UTF-8.
 */
export async function boundedText(
  body: ReadableStream<Uint8Array> | null,
  sizeMax: number,
): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  // Leaving the loop early cancels the stream.
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > sizeMax) throw new RangeError(`it is larger than ${sizeMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
