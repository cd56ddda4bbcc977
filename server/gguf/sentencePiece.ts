// The pieces of a SentencePiece model (tokenizer.model), a protobuf message: sentencepiece_model.proto, ModelProto.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { UserError } from '../errors';

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: PieceType;
}

/** The numbers that SentencePiece and GGUF both give them. */
export const pieceTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
export type PieceType = (typeof pieceTypes)[keyof typeof pieceTypes];

/** @param name for the sentence. @throws UserError `damagedCheckpoint` */
export function readPieces(bytes: Uint8Array, name: string): Piece[] {
  try {
    const pieces: Piece[] = [];
    eachField(bytes, (reader, field, wireType) => {
      if (field !== 1 || wireType !== WireType.LengthDelimited) return false;
      pieces.push(readPiece(reader.bytes()));
      return true;
    });
    if (pieces.length > 0) return pieces;
  } catch {
    // Said below.
  }
  throw new UserError(
    'damagedCheckpoint',
    `${name} is not a vocabulary of SentencePiece; download the folder's tokenizer files again.`,
  );
}

function readPiece(bytes: Uint8Array): Piece {
  let piece: Piece = { text: '', score: 0, type: pieceTypes.normal };
  eachField(bytes, (reader, field) => {
    if (field === 1) piece = { ...piece, text: reader.string() };
    else if (field === 2) piece = { ...piece, score: reader.float() };
    else if (field === 3) piece = { ...piece, type: knownType(reader.int32()) };
    else return false;
    return true;
  });
  return piece;
}

function knownType(type: number): PieceType {
  const known = Object.values(pieceTypes).find((one) => one === type);
  if (known === undefined) throw new RangeError(`there is no piece of type ${type}`);
  return known;
}

/** @param read takes the field's value, or says that it did not */
function eachField(
  bytes: Uint8Array,
  read: (reader: BinaryReader, field: number, wireType: WireType) => boolean,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!read(reader, field, wireType)) reader.skip(wireType, field);
  }
}
