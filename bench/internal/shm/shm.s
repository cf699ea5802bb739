// Its presence lets the compiler accept a function without a body (Now).
