//go:build !purego && !tinygo

#include "textflag.h"

// func xorBlocks(dst, src *byte, n int, key uint64)
TEXT ·xorBlocks(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	MOVQ         n+16(FP), CX
	VPBROADCASTQ key+24(FP), Y0

by128:
	CMPQ    CX, $128
	JLT     by32
	VPXOR   (SI), Y0, Y1
	VPXOR   32(SI), Y0, Y2
	VPXOR   64(SI), Y0, Y3
	VPXOR   96(SI), Y0, Y4
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	VMOVDQU Y3, 64(DI)
	VMOVDQU Y4, 96(DI)
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $128, CX
	JMP     by128

by32:
	CMPQ    CX, $32
	JLT     done
	VPXOR   (SI), Y0, Y1
	VMOVDQU Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $32, CX
	JMP     by32

done:
	VZEROUPPER
	RET

// func xorTextBlocks(p *byte, n int, key uint64) (seen uint32)
TEXT ·xorTextBlocks(SB), NOSPLIT, $0-28
	MOVQ         p+0(FP), DI
	MOVQ         n+8(FP), CX
	VPBROADCASTQ key+16(FP), Y0
	VPXOR        Y5, Y5, Y5
	VPXOR        Y6, Y6, Y6

text128:
	CMPQ    CX, $128
	JLT     text32
	VPXOR   (DI), Y0, Y1
	VPXOR   32(DI), Y0, Y2
	VPXOR   64(DI), Y0, Y3
	VPXOR   96(DI), Y0, Y4
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, 32(DI)
	VMOVDQU Y3, 64(DI)
	VMOVDQU Y4, 96(DI)
	VPOR    Y1, Y2, Y1
	VPOR    Y3, Y4, Y3
	VPOR    Y1, Y5, Y5
	VPOR    Y3, Y6, Y6
	ADDQ    $128, DI
	SUBQ    $128, CX
	JMP     text128

text32:
	CMPQ    CX, $32
	JLT     textDone
	VPXOR   (DI), Y0, Y1
	VMOVDQU Y1, (DI)
	VPOR    Y1, Y5, Y5
	ADDQ    $32, DI
	SUBQ    $32, CX
	JMP     text32

textDone:
	VPOR      Y5, Y6, Y5
	VPMOVMSKB Y5, AX
	MOVL      AX, seen+24(FP)
	VZEROUPPER
	RET

// func cpuid(leaf, subleaf uint32) (ebx, ecx uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-16
	MOVL leaf+0(FP), AX
	MOVL subleaf+4(FP), CX
	CPUID
	MOVL BX, ebx+8(FP)
	MOVL CX, ecx+12(FP)
	RET

// func xgetbv() (eax uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, eax+0(FP)
	RET
