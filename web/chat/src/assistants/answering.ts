import type { Assistant } from '@causerie/client';
import { createContext, useContext } from 'react';

/** The assistant that answers in what is shown, as far as that is known. */
export const AnsweringContext = createContext<Assistant | undefined>(undefined);

export const useAnswering = (): Assistant | undefined => useContext(AnsweringContext);
