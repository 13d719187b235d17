/* demangle.h - names of functions as their authors wrote them, as far as that takes no more than reading off
 * the parts: shop::Orders::total of _ZN4shop6Orders5totalEv. What has templates or is an operator stays as
 * the linker knows it. The parameters are left out, and so is what the compiler put behind a name (.isra.0).
 */
#ifndef TAGALONG_DEMANGLE_H
#define TAGALONG_DEMANGLE_H

#include <stddef.h>

/* In place, which has SYMBOLS_NAME bytes. */
void demangle(char *name);

#endif
