#include "textflag.h"

// Each loop of a scan compares 64 elements, or 32: of low wrapped around to 0, those up to
// span are the smaller one of themselves and span. What is found is packed to a byte an
// element, and of each byte the highest bit is taken. Packing works in each half of a
// register by itself, so that the parts must be put in order after it.

// order puts the fours of 32 bytes that were packed twice in order.
DATA order<>+0(SB)/8, $0x0000000400000000
DATA order<>+8(SB)/8, $0x0000000500000001
DATA order<>+16(SB)/8, $0x0000000600000002
DATA order<>+24(SB)/8, $0x0000000700000003
GLOBL order<>(SB), RODATA|NOPTR, $32

// func scan8(words *uint64, list *uint8, n int, low, span uint8)
TEXT ·scan8(SB), NOSPLIT, $0-26
	MOVQ words+0(FP), DI
	MOVQ list+8(FP), SI
	MOVQ n+16(FP), CX
	VPBROADCASTB low+24(FP), Y14
	VPBROADCASTB span+25(FP), Y15
loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPSUBB Y14, Y0, Y0
	VPSUBB Y14, Y1, Y1
	VPMINUB Y15, Y0, Y2
	VPMINUB Y15, Y1, Y3
	VPCMPEQB Y2, Y0, Y0
	VPCMPEQB Y3, Y1, Y1
	VPMOVMSKB Y0, AX
	VPMOVMSKB Y1, BX
	SHLQ $32, BX
	ORQ BX, AX
	ORQ AX, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func scan16(words *uint64, list *uint16, n int, low, span uint16)
TEXT ·scan16(SB), NOSPLIT, $0-28
	MOVQ words+0(FP), DI
	MOVQ list+8(FP), SI
	MOVQ n+16(FP), CX
	VPBROADCASTW low+24(FP), Y14
	VPBROADCASTW span+26(FP), Y15
loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPSUBW Y14, Y0, Y0
	VPSUBW Y14, Y1, Y1
	VPSUBW Y14, Y2, Y2
	VPSUBW Y14, Y3, Y3
	VPMINUW Y15, Y0, Y4
	VPMINUW Y15, Y1, Y5
	VPMINUW Y15, Y2, Y6
	VPMINUW Y15, Y3, Y7
	VPCMPEQW Y4, Y0, Y0
	VPCMPEQW Y5, Y1, Y1
	VPCMPEQW Y6, Y2, Y2
	VPCMPEQW Y7, Y3, Y3
	VPACKSSWB Y1, Y0, Y0
	VPACKSSWB Y3, Y2, Y2
	VPERMQ $0xD8, Y0, Y0
	VPERMQ $0xD8, Y2, Y2
	VPMOVMSKB Y0, AX
	VPMOVMSKB Y2, BX
	SHLQ $32, BX
	ORQ BX, AX
	ORQ AX, (DI)
	ADDQ $128, SI
	ADDQ $8, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func scan32(words *uint64, list *uint32, n int, low, span uint32)
TEXT ·scan32(SB), NOSPLIT, $0-32
	MOVQ words+0(FP), DI
	MOVQ list+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL low+24(FP), AX
	MOVL span+28(FP), BX
	VMOVD AX, X14
	VMOVD BX, X15
	VPBROADCASTD X14, Y14
	VPBROADCASTD X15, Y15
	VMOVDQU order<>(SB), Y13
	SHLQ $1, CX // 32 elements at a time
loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPSUBD Y14, Y0, Y0
	VPSUBD Y14, Y1, Y1
	VPSUBD Y14, Y2, Y2
	VPSUBD Y14, Y3, Y3
	VPMINUD Y15, Y0, Y4
	VPMINUD Y15, Y1, Y5
	VPMINUD Y15, Y2, Y6
	VPMINUD Y15, Y3, Y7
	VPCMPEQD Y4, Y0, Y0
	VPCMPEQD Y5, Y1, Y1
	VPCMPEQD Y6, Y2, Y2
	VPCMPEQD Y7, Y3, Y3
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKSSWB Y2, Y0, Y0
	VPERMD Y0, Y13, Y0
	VPMOVMSKB Y0, AX
	ORL AX, (DI)
	ADDQ $128, SI
	ADDQ $4, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func meet4(words, from, a, b *uint64, n int, flipA, flipB uint64)
TEXT ·meet4(SB), NOSPLIT, $0-56
	MOVQ words+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ a+16(FP), R8
	MOVQ b+24(FP), R9
	MOVQ n+32(FP), CX
	VPBROADCASTQ flipA+40(FP), Y14
	VPBROADCASTQ flipB+48(FP), Y15
	XORQ AX, AX
loop:
	VPXOR (R8)(AX*1), Y14, Y0
	VPXOR (R9)(AX*1), Y15, Y1
	VPAND (SI)(AX*1), Y0, Y0
	VPAND Y1, Y0, Y0
	VMOVDQU Y0, (DI)(AX*1)
	ADDQ $32, AX
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
