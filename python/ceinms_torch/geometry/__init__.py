"""MTU lengths and moment arms as polynomials of joint angles."""
