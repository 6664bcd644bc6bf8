// Tiles of seven pixels, and of three and one for what is left.

#define FOR_1(F, i) \
	F(i, 0, Y0, 0, Y1, 1)
#define FOR_3(F, i) \
	FOR_1(F, i)             \
	F(i, 1, Y2, 2, Y3, 3)   \
	F(i, 2, Y4, 4, Y5, 5)
#define FOR_7(F, i) \
	FOR_3(F, i)             \
	F(i, 3, Y6, 6, Y7, 7)   \
	F(i, 4, Y8, 8, Y9, 9)   \
	F(i, 5, Y10, 10, Y11, 11) \
	F(i, 6, Y12, 12, Y13, 13)

#define OUTPUTS_1(TWO, ONE) \
	ONE(Y0, X0, 0)
#define OUTPUTS_3(TWO, ONE) \
	TWO(Y0, Y2, 0) \
	ONE(Y4, X4, 2)
#define OUTPUTS_7(TWO, ONE) \
	TWO(Y0, Y2, 0)  \
	TWO(Y4, Y6, 2)  \
	TWO(Y8, Y10, 4) \
	ONE(Y12, X12, 6)
