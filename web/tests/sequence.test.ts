import { describe, expect, it } from "vitest";
import { type ChannelFrame, parseFrame } from "../src/stream/protocol";
import { ChannelSequence } from "../src/stream/sequence";

function snapshot(seq: number): ChannelFrame {
  return { type: "snapshot", channel: "feed", seq, data: null };
}

function update(seq: number, conflated?: number): ChannelFrame {
  return { type: "update", channel: "feed", seq, data: null, ...(conflated === undefined ? {} : { conflated }) };
}

describe("the count of a channel", () => {
  it("delivers a snapshot and each update that follows it", () => {
    const sequence = new ChannelSequence();
    expect([snapshot(7), update(8), update(9)].map((frame) => sequence.judge(frame))).toEqual([
      "deliver",
      "deliver",
      "deliver",
    ]);
  });

  it("ignores updates before the first snapshot, and ones that are already in it", () => {
    const sequence = new ChannelSequence();
    expect(sequence.judge(update(8))).toBe("ignore");
    sequence.judge(snapshot(8));
    expect(sequence.judge(update(8))).toBe("ignore");
    expect(sequence.judge(update(9))).toBe("deliver");
  });

  it("asks for a snapshot once when a frame is missing, and ignores everything until it comes", () => {
    const sequence = new ChannelSequence();
    sequence.judge(snapshot(1));
    expect(sequence.judge(update(3))).toBe("resync");
    expect(sequence.waiting).toBe(true);
    expect(sequence.judge(update(4))).toBe("ignore");
    expect(sequence.judge(snapshot(9))).toBe("deliver");
    expect(sequence.judge(update(10))).toBe("deliver");
  });

  it("takes a jump that conflation explains, and not one frame more", () => {
    const sequence = new ChannelSequence();
    sequence.judge(snapshot(1));
    expect(sequence.judge(update(4, 3))).toBe("deliver");
    expect(sequence.judge(update(8, 3))).toBe("resync");
  });

  it("starts over with a server that counts from the beginning again", () => {
    const sequence = new ChannelSequence();
    sequence.judge(snapshot(900));
    sequence.awaitSnapshot();
    expect(sequence.judge(snapshot(0))).toBe("deliver");
    expect(sequence.judge(update(1))).toBe("deliver");
  });
});

describe("frames", () => {
  it.each(["", "{", "null", "[]", '"text"', "{}", '{"type":"novelty"}', '{"type":"update","channel":"feed"}', 7])(
    "that are none are left alone: %s",
    (text) => {
      expect(parseFrame(text)).toBeUndefined();
    },
  );

  it("are read", () => {
    expect(parseFrame('{"type":"pong","id":3}')).toEqual({ type: "pong", id: 3 });
  });
});
